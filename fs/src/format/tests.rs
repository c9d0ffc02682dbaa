//! The formats side by side: they all show the same values.

use super::Formatter;
use super::values::as_utf8;
use iterfs_mapping::Format;
use iterfs_mapping::row::{Column, Kind, Names, Records, Schema, Step, Unit, Width};
use proptest::prelude::*;
use serde_json::{Value, json};

fn names(list: &[(u64, &str)]) -> Names {
    Names::new(
        list.iter()
            .map(|(value, name)| (*value, (*name).into()))
            .collect(),
    )
}

/// A row with a column of every kind: 45 bytes and a tail.
fn schema() -> Schema {
    let mut offset = 0;
    let mut columns = Vec::new();
    let mut add = |name: &str, kind: Kind, absent| {
        let size = kind.size();
        columns.push(Column {
            absent,
            ..Column::new(name, offset, kind)
        });
        offset += size;
    };
    add("count", Kind::Unsigned(Width::Four, Unit::None), Some(7));
    add("delta", Kind::Signed(Width::Two), None);
    add("yes", Kind::Bool, None);
    add(
        "state",
        Kind::Name(Width::One, names(&[(0, "idle"), (1, "busy")])),
        None,
    );
    add(
        "flags",
        Kind::Flags(Width::One, names(&[(1, "R"), (2, "W")])),
        None,
    );
    add("mask", Kind::Hex(Width::Four), None);
    add("device", Kind::Device, Some(0));
    add(
        "size",
        Kind::Unsigned(Width::Eight, Unit::Pages(12)),
        Some(u64::MAX),
    );
    add("address", Kind::Ipv6, None);
    add("path", Kind::Tail, None);
    Schema {
        row: "a thing".into(),
        fixed_size: offset + 2,
        tail_length: Some(offset),
        columns,
    }
}

#[derive(Clone, Debug)]
struct Row {
    count: u32,
    delta: i16,
    yes: bool,
    state: u8,
    flags: u8,
    mask: u32,
    device: u32,
    pages: u64,
    address: [u8; 16],
    path: Vec<u8>,
}

fn row() -> Row {
    Row {
        count: 42,
        delta: -3,
        yes: true,
        state: 1,
        flags: 3,
        mask: 0x1f,
        device: 8 << 20 | 1,
        pages: 2,
        address: [0; 16],
        path: b"/etc/passwd".to_vec(),
    }
}

fn encode(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(row.count.to_ne_bytes());
    bytes.extend(row.delta.to_ne_bytes());
    bytes.push(row.yes.into());
    bytes.push(row.state);
    bytes.push(row.flags);
    bytes.extend(row.mask.to_ne_bytes());
    bytes.extend(row.device.to_ne_bytes());
    bytes.extend(row.pages.to_ne_bytes());
    bytes.extend(row.address);
    bytes.extend((row.path.len() as u16).to_ne_bytes());
    bytes.extend(&row.path);
    bytes
}

fn show(format: Format, rows: &[Row]) -> String {
    let schema = schema();
    let bytes: Vec<u8> = rows.iter().flat_map(encode).collect();
    let mut formatter = Formatter::new(format, &schema);
    let mut out = Vec::new();
    formatter.begin(&mut out);
    for record in Records::new(&schema, &bytes) {
        formatter.row(&schema, record, &mut out);
    }
    out.extend_from_slice(formatter.framing().tail(!rows.is_empty()));
    String::from_utf8(out).expect("every format is UTF-8")
}

/// The fields of the only row in a text.
fn fields(text: &str) -> Vec<&str> {
    text.lines().nth(1).unwrap().split_whitespace().collect()
}

#[test]
fn a_row_in_every_format() {
    let object = r#"{"count":42,"delta":-3,"yes":true,"state":"busy","flags":["R","W"],"mask":"0x1f","device":"8:1","size":8192,"address":"::","path":"/etc/passwd"}"#;
    for format in Format::ALL {
        let expected = match format {
            Format::Text => "  count delta yes   state flags                  mask  device         size address                  path\n     42    -3 true  busy  R|W                    0x1f     8:1         8192 ::                       /etc/passwd\n".into(),
            Format::Json => format!("[\n{object}\n]\n"),
            Format::JsonLines => format!("{object}\n"),
            Format::Csv => "count,delta,yes,state,flags,mask,device,size,address,path\r\n42,-3,true,busy,R|W,0x1f,8:1,8192,::,/etc/passwd\r\n".into(),
        };
        assert_eq!(show(format, &[row()]), expected);
    }
}

#[test]
fn a_table_without_rows() {
    for format in Format::ALL {
        let shown = show(format, &[]);
        match format {
            Format::Text | Format::Csv => assert_eq!(shown.lines().count(), 1),
            Format::Json => assert_eq!(shown, "[]\n"),
            Format::JsonLines => assert_eq!(shown, ""),
        }
    }
}

/// The file of some rows, in which `first` rows are encoded by one formatter and the others
/// by another that does not know whether there are any before them.
fn show_in_two_chunks(format: Format, rows: &[Row], first: usize) -> String {
    let schema = schema();
    let encoded = |formatter: &mut Formatter, rows: &[Row]| {
        let bytes: Vec<u8> = rows.iter().flat_map(encode).collect();
        let mut out = Vec::new();
        for record in Records::new(&schema, &bytes) {
            formatter.row(&schema, record, &mut out);
        }
        out
    };
    let mut one = Formatter::new(format, &schema);
    let mut other = Formatter::new(format, &schema);
    let mut file = Vec::new();
    one.begin(&mut file);
    file.extend(encoded(&mut one, &rows[..first]));
    other.resume();
    let mut rest = encoded(&mut other, &rows[first..]);
    if first == 0 && !rest.is_empty() {
        other.framing().make_first(&mut rest);
    }
    file.extend(rest);
    file.extend_from_slice(other.framing().tail(!rows.is_empty()));
    String::from_utf8(file).expect("every format is UTF-8")
}

#[test]
fn absent_values() {
    let rows = [Row {
        count: 7,
        flags: 0,
        device: 0,
        pages: u64::MAX,
        path: Vec::new(),
        ..row()
    }];
    assert_eq!(
        fields(&show(Format::Text, &rows)),
        ["-", "-3", "true", "busy", "-", "0x1f", "-", "-", "::", "-"]
    );
    let json: Value = serde_json::from_str(&show(Format::Json, &rows)).unwrap();
    assert_eq!(json[0]["count"], Value::Null);
    assert_eq!(json[0]["flags"], json!([]));
    assert_eq!(json[0]["path"], Value::Null);
    assert!(show(Format::Csv, &rows).ends_with("\r\n,-3,true,busy,,0x1f,,,::,\r\n"));
}

#[test]
fn values_and_bits_without_a_name() {
    let rows = [Row {
        state: 9,
        flags: 0x81,
        ..row()
    }];
    assert_eq!(fields(&show(Format::Text, &rows))[3..5], ["9", "R|0x80"]);
    let json: Value = serde_json::from_str(&show(Format::Json, &rows)).unwrap();
    assert_eq!(json[0]["state"], "9");
    assert_eq!(json[0]["flags"], json!(["R", "0x80"]));
}

#[test]
fn a_path_is_one_word_of_text() {
    for (path, word) in [
        (&b"/a b"[..], r"/a\040b"),
        (b"/a\nb\tc", r"/a\012b\011c"),
        (b"/a\\b", r"/a\134b"),
        (b"-", r"\055"),
        (b"/\xff\xfe", r"/\377\376"),
        ("/été".as_bytes(), "/été"),
        ("/a\u{a0}b\u{9b}".as_bytes(), r"/a\302\240b\302\233"),
    ] {
        let rows = [Row {
            path: path.to_vec(),
            ..row()
        }];
        assert_eq!(fields(&show(Format::Text, &rows))[9], word);
    }
}

/// A row of one byte at each of these paths; numbers in them are indices of lists.
fn nested(paths: &[&str]) -> Schema {
    let columns = paths.iter().enumerate().map(|(offset, path)| Column {
        path: path
            .split('.')
            .map(|step| match step.parse() {
                Ok(index) => Step::Element(index),
                Err(_) => Step::Member(step.into()),
            })
            .collect(),
        ..Column::new(path, offset, Kind::Unsigned(Width::One, Unit::None))
    });
    Schema {
        row: "a thing".into(),
        fixed_size: paths.len(),
        tail_length: None,
        columns: columns.collect(),
    }
}

#[test]
fn values_within_values() {
    for (paths, object) in [
        (&["a"][..], r#"{"a":1}"#),
        (&["a", "b"], r#"{"a":1,"b":2}"#),
        (&["k.a", "k.b", "v"], r#"{"k":{"a":1,"b":2},"v":3}"#),
        (&["v.0", "v.1"], r#"{"v":[1,2]}"#),
        (&["k", "v.0.a", "v.1.a"], r#"{"k":1,"v":[{"a":2},{"a":3}]}"#),
        (&["v.0.0", "v.0.1", "v.1.0"], r#"{"v":[[1,2],[3]]}"#),
        (
            &["k.a.b.c", "v.x.0", "v.y", "w"],
            r#"{"k":{"a":{"b":{"c":1}}},"v":{"x":[2],"y":3},"w":4}"#,
        ),
        (&["a.b", "b.b"], r#"{"a":{"b":1},"b":{"b":2}}"#),
    ] {
        let schema = nested(paths);
        let record: Vec<u8> = (1..).take(paths.len()).collect();
        let mut formatter = Formatter::new(Format::JsonLines, &schema);
        let mut out = Vec::new();
        for record in Records::new(&schema, &record) {
            formatter.row(&schema, record, &mut out);
        }
        assert_eq!(String::from_utf8(out).unwrap(), format!("{object}\n"));
    }
}

/// Reverses the escapes of a word.
fn unescape(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'\\' {
            let digits = std::str::from_utf8(&after[..3]).unwrap();
            bytes.push(u8::from_str_radix(digits, 8).unwrap());
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    bytes
}

fn any_row() -> impl Strategy<Value = Row> {
    let path = prop_oneof![
        proptest::collection::vec(1u8.., 1..30),
        "\\PC{1,20}".prop_map(String::into_bytes),
    ];
    (
        any::<(u32, i16, bool, u8, u8, u32, u32, u32, [u8; 16])>(),
        path,
    )
        .prop_map(
            |((count, delta, yes, state, flags, mask, device, pages, address), path)| Row {
                count,
                delta,
                yes,
                state,
                flags,
                mask,
                device,
                pages: pages.into(),
                address,
                path: path.into_iter().filter(|byte| *byte != 0).collect(),
            },
        )
}

/// Rows that each resemble the row before.
fn similar_rows() -> impl Strategy<Value = Vec<Row>> {
    let changed = (any_row(), any::<u16>());
    (any_row(), proptest::collection::vec(changed, 0..12)).prop_map(|(first, others)| {
        let mut rows = vec![first];
        for (other, columns) in others {
            let mut row = rows[rows.len() - 1].clone();
            let mut column = 0;
            let mut is_changed = || {
                column += 1;
                columns >> column & 1 == 1
            };
            macro_rules! change {
                ($($field:ident)*) => { $(if is_changed() { row.$field = other.$field; })* };
            }
            change!(count delta yes state flags mask device pages address path);
            rows.push(row);
        }
        rows
    })
}

/// The values in a file, row by row, in the order of the schema and as CSV writes them.
fn values(format: Format, file: &str) -> Vec<Vec<String>> {
    let schema = schema();
    let names = || schema.columns.iter().map(|column| column.name.as_str());
    let of_object = |object: &Value| names().map(|name| plain(&object[name])).collect();
    match format {
        Format::Text => {
            let mut lines = file.lines().map(|line| line.split_whitespace());
            assert!(lines.next().expect("a header").eq(names()));
            let value = |word| match word {
                "-" => String::new(),
                word => as_utf8(&unescape(word), str::to_owned),
            };
            lines.map(|words| words.map(value).collect()).collect()
        }
        Format::Json => {
            let objects: Vec<Value> = serde_json::from_str(file).expect("an array");
            objects.iter().map(of_object).collect()
        }
        Format::JsonLines => {
            let lines = file.split_terminator('\n');
            let objects = lines.map(|line| serde_json::from_str(line).expect("an object"));
            objects.map(|object: Value| of_object(&object)).collect()
        }
        Format::Csv => {
            let mut reader = csv::Reader::from_reader(file.as_bytes());
            assert!(reader.headers().expect("a header").iter().eq(names()));
            let records = reader.records().map(|record| record.expect("a record"));
            let fields = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
            records.map(fields).collect()
        }
    }
}

/// A value of JSON as CSV writes it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let names = items.iter().map(|item| item.as_str().expect("a name"));
            names.collect::<Vec<_>>().join("|")
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn a_row_is_formatted_alike_whatever_came_before(rows in similar_rows()) {
        for format in Format::ALL {
            let whole = show(format, &rows);
            for first in 0..=rows.len() {
                prop_assert_eq!(&show_in_two_chunks(format, &rows, first), &whole);
            }
        }
    }

    #[test]
    fn the_formats_agree_value_by_value(rows in proptest::collection::vec(any_row(), 0..8)) {
        let expected = values(Format::Json, &show(Format::Json, &rows));
        prop_assert_eq!(expected.len(), rows.len());
        for format in Format::ALL {
            let shown = values(format, &show(format, &rows));
            prop_assert_eq!(&shown, &expected, "{:?}", format);
        }
        let text = show(Format::Text, &rows);
        prop_assert_eq!(text.lines().count(), rows.len() + 1);
        for (line, row) in text.lines().skip(1).zip(&rows) {
            let path = line.split_whitespace().last().unwrap();
            prop_assert!(row.path.is_empty() || unescape(path) == row.path);
        }
    }
}
