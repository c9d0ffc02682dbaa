//! The values of `bpf/map/<id>/elements` beside bpftool, with maps of the test's own making.

use super::elements::{SOURCE, rows, table};
use iterfs_tests::Mount;
use iterfs_tests::fixtures::bpf_maps::{agree, dump, id, load, map_of, plain, set, set_each};
use iterfs_tests::not_here::needs_function;
use libbpf_rs::{MapCore, MapHandle, MapType, Object, num_possible_cpus};
use serde_json::{Value, json};

/// Bytes laid out as C does: each number at a multiple of its size.
#[derive(Default)]
struct Layout(Vec<u8>);

impl Layout {
    fn put(mut self, number: &[u8]) -> Layout {
        self.0
            .resize(self.0.len().next_multiple_of(number.len()), 0);
        self.text(number)
    }

    fn text(mut self, bytes: &[u8]) -> Layout {
        self.0.extend_from_slice(bytes);
        self
    }

    fn bytes(mut self, alignment: usize) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(alignment), 0);
        self.0
    }
}

fn key(number: u32) -> Vec<u8> {
    Layout::default()
        .put(&number.to_ne_bytes())
        .put(&7u16.to_ne_bytes())
        .text(b"x\0")
        .bytes(4)
}

/// A `struct value` whose members all differ, and differ with `n`.
fn value(n: u8) -> Vec<u8> {
    let more = u32::from(n);
    let bits = 5u64 | (-3i64 as u64 & 31) << 3 | 0xab_cdef_0123 << 8 | 1 << 48 | 7 << 49;
    let mut layout = Layout::default()
        .put(&(u64::MAX - u64::from(n)).to_ne_bytes())
        .put(&(-1_234_567_890_123i64).to_ne_bytes())
        .put(&[1])
        .put(&(-7i8).to_ne_bytes())
        .text(b"a name\0\0\0\0\0\0\0\0")
        .put(&7u32.to_ne_bytes())
        .put(&[2])
        .put(&8080u16.to_ne_bytes())
        .put(&[0xff]);
    for port in [1u16, 2] {
        layout = layout.put(&port.to_ne_bytes()).put(&[n]);
    }
    for number in 0..6u32 {
        layout = layout.put(&(number + more).to_ne_bytes());
    }
    layout = layout
        .put(&0xdead_beefu32.to_ne_bytes())
        .put(&(-9i32).to_ne_bytes())
        .put(&0xffff_fff0u32.to_ne_bytes())
        .put(&bits.to_le_bytes());
    // The bit fields take less than the eight bytes.
    layout.0.truncate(95);
    layout
        .text(b"one\0\0\0\0\0two\0\0\0\0\0")
        .put(&0xffff_8880_0000_1000u64.to_ne_bytes())
        .put(&(1u128 << 100 | more as u128).to_ne_bytes())
        .bytes(16)
}

/// The columns expected of that value.
fn shown(n: u8) -> Value {
    let more = u64::from(n);
    json!({
        "count": u64::MAX - more,
        "balance": -1_234_567_890_123i64,
        "yes": true,
        "tiny": -7,
        "name": "a name",
        "color": "COLOR_BLUE",
        "small": "SMALL_TWO",
        "end": {"port": 8080, "delta": -1},
        "pair": [{"port": 1, "delta": n as i8}, {"port": 2, "delta": n as i8}],
        "grid": [[more, more + 1, more + 2], [more + 3, more + 4, more + 5]],
        "either": {"word": 0xdead_beefu32, "bytes": 0xdead_beefu32.to_ne_bytes()},
        "inner": -9,
        "one": 0xffff_fff0u32,
        "other": -16,
        "low": 5,
        "high": -3,
        "far": 0xab_cdef_0123u64,
        "flag": true,
        "hue": "COLOR_BLUE",
        "lines": ["one", "two"],
        "pointer": "0xffff888000001000",
        "huge": (1u128 << 100 | u128::from(more)).to_ne_bytes().map(|byte| format!("{byte:02x}")).concat(),
    })
}

fn shown_key(number: u32) -> Value {
    json!({"id": number, "zone": 7, "tag": "x"})
}

/// A value for each processor, beginning with `value(n)`.
fn each(n: u8) -> Vec<Vec<u8>> {
    let processors = num_possible_cpus().unwrap() as u8;
    (0..processors).map(|cpu| value(n + cpu)).collect()
}

fn shown_each(n: u8) -> Vec<Value> {
    let processors = num_possible_cpus().unwrap() as u8;
    (0..processors).map(|cpu| shown(n + cpu)).collect()
}

/// Compares with bpftool's formatted dump, whose order is not ours.
fn compare(rows: &[Value], map: &impl MapCore) {
    let dumped = dump(id(map));
    assert_eq!(rows.len(), dumped.len());
    for element in dumped {
        // bpftool gives a bit field no name.
        let text = element["formatted"].to_string();
        let text = text.replace(r#""hue":"0x7""#, r#""hue":"COLOR_BLUE""#);
        let mut theirs: Value = serde_json::from_str(&text).unwrap();
        if let Some(each) = theirs.get("values") {
            let values = each.as_array().unwrap().iter();
            let values: Value = values.map(|one| one["value"].clone()).collect();
            theirs = json!({"key": theirs["key"], "value": values});
        }
        let same = rows.iter().filter(|row| agree(row, &theirs)).count();
        assert_eq!(same, 1, "bpftool has\n{theirs}\namong\n{rows:?}");
    }
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| row["key"]["id"].as_u64().or(row["key"].as_u64()));
    rows
}

#[test]
fn members_of_every_type_are_columns_in_maps_of_every_type() {
    let mount = Mount::new();
    let object = load(SOURCE);
    for name in ["in_hash", "in_lru_hash"] {
        let map = map_of(&object, name);
        (1..4).for_each(|n| set(&map, &key(n.into()), &value(n)));
        let expected: Vec<_> = (1..4u8)
            .map(|n| json!({"key": shown_key(n.into()), "value": shown(n)}))
            .collect();
        assert_eq!(sorted(rows(&mount, &map)), expected, "{name}");
        compare(&expected, &map);
    }
    for name in ["in_cpu_hash", "in_lru_cpu_hash"] {
        let map = map_of(&object, name);
        (1..4).for_each(|n| set_each(&map, &key(n.into()), &each(n)));
        let expected: Vec<_> = (1..4u8)
            .map(|n| json!({"key": shown_key(n.into()), "value": shown_each(n)}))
            .collect();
        assert_eq!(sorted(rows(&mount, &map)), expected, "{name}");
        compare(&expected, &map);
    }
    let map = map_of(&object, "in_array");
    (0..3u8).for_each(|n| set(&map, &u32::from(n).to_ne_bytes(), &value(n)));
    let expected: Vec<_> = (0..3u8)
        .map(|n| json!({"key": n, "value": shown(n)}))
        .collect();
    assert_eq!(rows(&mount, &map), expected);
    compare(&expected, &map);

    let map = map_of(&object, "in_cpu_array");
    (0..3u8).for_each(|n| set_each(&map, &u32::from(n).to_ne_bytes(), &each(n)));
    let expected: Vec<_> = (0..3u8)
        .map(|n| json!({"key": n, "value": shown_each(n)}))
        .collect();
    assert_eq!(rows(&mount, &map), expected);
    compare(&expected, &map);
}

#[test]
fn text_and_csv_have_flattened_columns() {
    let mount = Mount::new();
    let object = load(SOURCE);
    let map = map_of(&object, "in_hash");
    set(&map, &key(1), &value(2));
    let columns = "key.id key.zone key.tag value.count value.balance value.yes value.tiny \
        value.name value.color value.small value.end.port value.end.delta value.pair.0.port \
        value.pair.0.delta value.pair.1.port value.pair.1.delta value.grid.0.0 value.grid.0.1 \
        value.grid.0.2 value.grid.1.0 value.grid.1.1 value.grid.1.2 value.either.word \
        value.either.bytes.0 value.either.bytes.1 value.either.bytes.2 value.either.bytes.3 \
        value.inner value.one value.other value.low value.high value.far value.flag value.hue \
        value.lines.0 value.lines.1 value.pointer value.huge";
    let values = "1 7 x 18446744073709551613 -1234567890123 true -7 a\\040name COLOR_BLUE \
        SMALL_TWO 8080 -1 1 2 2 2 2 3 4 5 6 7 3735928559 239 190 173 222 -9 4294967280 -16 5 -3 \
        737894400291 true COLOR_BLUE one two 0xffff888000001000 02000000000000000000000010000000";
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(Into::into).collect() };
    let text = mount.text(&table(&map));
    assert_eq!(
        text.lines().map(words).collect::<Vec<_>>(),
        [words(columns), words(values)]
    );
    let csv = mount.text(&format!("{}.csv", table(&map)));
    let expected = [columns, values].map(|line| words(line).join(",").replace("\\040", " "));
    assert_eq!(csv, format!("{}\r\n", expected.join("\r\n")));

    // One column for each processor.
    let map = map_of(&object, "in_numbers");
    assert_eq!(words(&mount.text(&table(&map))), ["key", "value"]);
    let map = plain(MapType::PercpuArray, 4, 4, 1);
    let header = words(mount.text(&table(&map)).lines().next().unwrap());
    let processors = 0..num_possible_cpus().unwrap();
    let each = processors.map(|cpu| format!("value.{cpu}"));
    assert_eq!(
        header,
        ["key".to_owned()]
            .into_iter()
            .chain(each)
            .collect::<Vec<_>>()
    );
}

/// bpftool's list of a value's bytes, as we show bytes.
fn bytes(list: &Value) -> String {
    let list = list.as_array().unwrap().iter();
    list.map(|byte| byte.as_str().unwrap().trim_start_matches("0x"))
        .collect()
}

#[test]
fn maps_without_types_are_hexadecimal() {
    let mount = Mount::new();
    for kind in [
        MapType::Hash,
        MapType::LruHash,
        MapType::PercpuHash,
        MapType::LruPercpuHash,
        MapType::Array,
        MapType::PercpuArray,
    ] {
        let array = matches!(kind, MapType::Array | MapType::PercpuArray);
        let key_size = if array { 4 } else { 6 };
        let map = plain(kind, key_size, 5, 4);
        for n in 0..4u8 {
            let mut key = u32::from(n).to_ne_bytes().to_vec();
            key.resize(key_size as usize, 0xab);
            if map.map_type().is_percpu() {
                let processors = num_possible_cpus().unwrap() as u8;
                let values: Vec<_> = (0..processors)
                    .map(|cpu| vec![n, cpu, 3, 4, 0xff])
                    .collect();
                set_each(&map, &key, &values);
            } else {
                set(&map, &key, &[n, 1, 2, 3, 0xfe]);
            }
        }
        let mut ours = rows(&mount, &map);
        let mut theirs: Vec<Value> = dump(id(&map))
            .iter()
            .map(|element| {
                let value = match element.get("values") {
                    Some(each) => {
                        let each = each.as_array().unwrap().iter();
                        each.map(|one| bytes(&one["value"])).collect()
                    }
                    None => json!(bytes(&element["value"])),
                };
                let key = bytes(&element["key"]);
                // An array's keys are numbers, whether or not anything says so.
                let number = u32::from_str_radix(&key, 16).unwrap_or(0).swap_bytes();
                json!({"key": if array { json!(number) } else { json!(key) }, "value": value})
            })
            .collect();
        ours.sort_by_key(Value::to_string);
        theirs.sort_by_key(Value::to_string);
        assert_eq!(ours.len(), 4, "{kind:?}");
        assert_eq!(ours, theirs, "{kind:?}");
    }
}

/// The map of a program's section, whose name the kernel cuts short.
fn section(object: &Object, suffix: &str) -> MapHandle {
    let map = object
        .maps()
        .find(|map| map.name().to_string_lossy().ends_with(suffix));
    MapHandle::try_from(&map.unwrap()).unwrap()
}

#[test]
fn global_variables_are_columns() {
    let mount = Mount::new();
    let object = load(SOURCE);
    for (suffix, expected) in [
        (
            ".data",
            json!({"changed": -5, "nested": {"port": 8080, "delta": -1}}),
        ),
        (".bss", json!({"zeroed": [0, 0, 0]})),
        (".rodata", json!({"greeting": "hello", "fixed": 1u64 << 40})),
    ] {
        let map = section(&object, suffix);
        let rows = rows(&mount, &map);
        assert_eq!(rows, [json!({"key": 0, "value": expected})], "{suffix}");

        // bpftool: {"value": {".data": [{"changed": -5}, ...]}}
        let dumped = dump(id(&map));
        let sections = dumped[0]["formatted"]["value"].as_object().unwrap();
        let variables = sections.values().next().unwrap().as_array().unwrap();
        assert_eq!(variables.len(), expected.as_object().unwrap().len());
        for variable in variables {
            for (name, theirs) in variable.as_object().unwrap() {
                let ours = &expected[name];
                assert!(agree(ours, theirs), "{name}: {ours}, {theirs}");
            }
        }
    }
}

#[test]
fn fractions_and_unnamed_enumerators_keep_their_values() {
    if !needs_function("btf_float_check_meta", "no type of a map is a fraction") {
        return;
    }
    let mount = Mount::new();
    let object = load(SOURCE);
    let map = map_of(&object, "in_fractions");
    let fractions = [
        (0.1f32, 0.1f64),
        (-2.0, 1e300),
        (f32::NAN, f64::NEG_INFINITY),
    ];
    for (at, (shorter, longer)) in fractions.into_iter().enumerate() {
        let value = Layout::default()
            .put(&shorter.to_ne_bytes())
            .put(&longer.to_ne_bytes());
        set(&map, &(at as u32).to_ne_bytes(), &value.bytes(8));
    }
    let values: Vec<_> = rows(&mount, &map)
        .iter()
        .map(|row| row["value"].clone())
        .collect();
    assert_eq!(
        values,
        [
            json!({"shorter": 0.1, "longer": 0.1}),
            json!({"shorter": -2.0, "longer": 1e300}),
            json!({"shorter": "NaN", "longer": "-inf"}),
            json!({"shorter": 0.0, "longer": 0.0}),
        ]
    );

    let map = map_of(&object, "in_states");
    set(&map, &1u32.to_ne_bytes(), &1u32.to_ne_bytes());
    set(&map, &2u32.to_ne_bytes(), &2u32.to_ne_bytes());
    let text = mount.text(&table(&map));
    let last = text
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().last());
    let last: Vec<_> = last.flatten().collect();
    assert_eq!(last, ["STATE_OFF", "STATE_ON", "2"]);
}

#[test]
fn too_many_values_are_hexadecimal_the_longest_lists_first() {
    let mount = Mount::new();
    let object = load(SOURCE);
    let map = map_of(&object, "in_wide");
    let mut value: Vec<u8> = (1..5u32).flat_map(u32::to_ne_bytes).collect();
    value.resize(16 + 8000, 0xcd);
    value.resize(16 + 8000 + 2400, 0xef);
    set(&map, &0u32.to_ne_bytes(), &value);
    let expected = json!({
        "few": [1, 2, 3, 4],
        "many": "cd".repeat(8000),
        "ends": "ef".repeat(2400),
    });
    assert_eq!(rows(&mount, &map), [json!({"key": 0, "value": expected})]);
}

#[test]
fn values_longer_than_the_kernels_buffer_are_whole() {
    let mount = Mount::new();
    let object = load(SOURCE);
    let map = map_of(&object, "in_long");
    let filled = |n: u8, middle: usize| -> Vec<u8> {
        let first = [n; 4].into_iter();
        let middle = (0..middle).map(|at| (at as u8).wrapping_add(n));
        first.chain(middle).chain([n; 4]).collect()
    };
    let shown = |bytes: &[u8]| -> Value {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}"));
        let middle: String = hex.skip(4).take(bytes.len() - 8).collect();
        let number = u32::from_ne_bytes([bytes[0]; 4]);
        json!({"first": number, "middle": middle, "last": number})
    };
    for n in 1..4u8 {
        set(&map, &u32::from(n).to_ne_bytes(), &filled(n, 40_000));
    }
    let expected: Vec<_> = (1..4u8)
        .map(|n| json!({"key": n, "value": shown(&filled(n, 40_000))}))
        .collect();
    assert!(sorted(rows(&mount, &map)) == expected);

    let map = map_of(&object, "in_long_cpu");
    let processors = num_possible_cpus().unwrap() as u8;
    let values = |n: u8| (0..processors).map(move |cpu| filled(n + cpu, 20_000));
    for n in 0..2u8 {
        let values: Vec<_> = values(n + 1).collect();
        set_each(&map, &u32::from(n).to_ne_bytes(), &values);
    }
    let expected: Vec<_> = (0..2u8)
        .map(|n| {
            let values: Vec<_> = values(n + 1).map(|bytes| shown(&bytes)).collect();
            json!({"key": n, "value": values})
        })
        .collect();
    assert!(rows(&mount, &map) == expected);

    // Sizes: what a program copies at once, the longest value that an iterator supports, and
    // the first that it does not support.
    for size in [4096, 4097, 10_000, 32_763, 32_764, 32_768] {
        let map = plain(MapType::Array, 4, size, 20);
        let values = (0..20u8).map(|n| {
            let bytes = (0..size).map(|at| (at as u8).wrapping_mul(n));
            bytes.collect::<Vec<u8>>()
        });
        for (n, value) in (0u32..).zip(values.clone()) {
            set(&map, &n.to_ne_bytes(), &value);
        }
        let rows = rows(&mount, &map);
        assert_eq!(rows.len(), 20);
        for (row, value) in rows.iter().zip(values) {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(row["value"] == hex, "{size} bytes");
        }
    }
}

#[test]
fn members_that_are_the_kernels_own_are_left_out() {
    let mount = Mount::new();
    let object = load(SOURCE);
    let map = map_of(&object, "in_guarded");
    let mut value = vec![0; map.value_size() as usize];
    let end = value.len() - 8;
    value[..4].copy_from_slice(&11u32.to_ne_bytes());
    value[end..end + 4].copy_from_slice(&12u32.to_ne_bytes());
    set(&map, &0u32.to_ne_bytes(), &value);
    assert_eq!(
        rows(&mount, &map),
        [json!({"key": 0, "value": {"before": 11, "after": 12}})]
    );
}
