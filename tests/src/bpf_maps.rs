//! BPF maps of the tests' own, which go when dropped, and what bpftool shows of them.

use crate::clang;
use crate::netns::run;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, Object, ObjectBuilder};
use serde_json::{Map, Value};
use std::fs;

/// Compiles a BPF program's source and loads it, with the types of its maps.
pub fn load(source: &str) -> Object {
    let directory = tempfile::tempdir().expect("a directory");
    let [text, object] = ["maps.bpf.c", "maps.bpf.o"].map(|name| directory.path().join(name));
    fs::write(&text, source).expect("a source file");
    let flags = ["-Wall", "-Werror"].map(str::to_owned);
    clang::compile(&text, &object, &[], &flags);
    let mut builder = ObjectBuilder::default();
    let object = builder.open_file(&object).expect("a BPF object");
    object.load().expect("the kernel takes the maps")
}

/// The map of this name in an object.
pub fn map_of(object: &Object, name: &str) -> MapHandle {
    let map = object.maps().find(|map| map.name() == name);
    let map = map.unwrap_or_else(|| unreachable!("no map is called {name}"));
    MapHandle::try_from(&map).expect("a second descriptor")
}

/// Makes a map without types.
pub fn plain(kind: MapType, key: u32, value: u32, entries: u32) -> MapHandle {
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    MapHandle::create(kind, Some("plain"), key, value, entries, &options)
        .unwrap_or_else(|error| unreachable!("{kind:?}: {error}"))
}

/// A map's id.
pub fn id(map: &impl MapCore) -> u32 {
    map.info().expect("what the kernel says of a map").info.id
}

/// Sets one element.
pub fn set(map: &impl MapCore, key: &[u8], value: &[u8]) {
    map.update(key, value, MapFlags::ANY)
        .expect("an element is set");
}

/// Sets an element of a per-cpu map.
pub fn set_each(map: &impl MapCore, key: &[u8], values: &[Vec<u8>]) {
    map.update_percpu(key, values, MapFlags::ANY)
        .expect("an element is set");
}

/// A map's elements as bpftool dumps them.
pub fn dump(id: u32) -> Vec<Value> {
    serde_json::from_str(&run(&format!("bpftool -j map dump id {id}"))).expect("bpftool's JSON")
}

/// Whether a value of ours is what bpftool formats, which spells some otherwise:
/// pointers, bit fields and very long integers as C does; members without a name of
/// their own in an object of that name; text that is not there as "".
pub fn agree(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let theirs = without_nameless(theirs);
            ours.len() == theirs.len()
                && ours.iter().all(|(name, value)| {
                    theirs.get(name).is_some_and(|theirs| agree(value, theirs))
                })
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(o, t)| agree(o, t))
        }
        // Bytes that happen to be text.
        (Value::Array(ours), Value::String(theirs)) => {
            let text = theirs.bytes().chain(std::iter::repeat(0));
            ours.iter().zip(text).all(|(byte, other)| *byte == other)
        }
        (Value::Null, Value::String(theirs)) => theirs.is_empty(),
        (Value::Number(ours), Value::String(theirs)) => {
            // Of a negative number, as many bits as the field has.
            let bits = ours.as_u64().or(ours.as_i64().map(i64::cast_unsigned));
            hexadecimal(theirs).is_some_and(|theirs| {
                let mask = theirs
                    .next_power_of_two()
                    .max(theirs + 1)
                    .next_power_of_two()
                    - 1;
                bits.map(|bits| u128::from(bits) & mask) == Some(theirs)
            })
        }
        (Value::Bool(ours), Value::String(theirs)) => {
            hexadecimal(theirs) == Some(u128::from(*ours))
        }
        (Value::String(ours), Value::Number(theirs)) => {
            hexadecimal(ours) == theirs.as_u64().map(u128::from)
        }
        (Value::String(ours), Value::String(theirs)) if theirs == "(nil)" => ours == "0x0",
        (Value::String(ours), Value::String(theirs)) if ours != theirs => {
            // Sixteen bytes in their order in memory.
            let bytes = u128::from_str_radix(ours, 16).map(u128::swap_bytes);
            ours.len() == 32 && bytes.ok() == hexadecimal(theirs)
        }
        _ => ours == theirs,
    }
}

fn without_nameless(members: &Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in members {
        match value {
            Value::Object(inner) if name.is_empty() || name == "(anon)" => {
                all.extend(without_nameless(inner));
            }
            _ => drop(all.insert(name.clone(), value.clone())),
        }
    }
    all
}

fn hexadecimal(text: &str) -> Option<u128> {
    u128::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
