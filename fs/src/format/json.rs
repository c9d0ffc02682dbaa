//! JSON: all objects in one array, or one object per line.

use super::flag_cache::FlagCache;
use super::framing::Framing;
use super::line_cache::LineCache;
use super::nesting::Nesting;
use super::values::{
    as_utf8, decimal, formatted, hex_bytes, hex_number, ip, is_plain, json_string,
};
use iterfs_mapping::row::{Flags, Record, Schema, Value};

/// Writes rows as objects.
#[derive(Debug)]
pub(super) struct Objects {
    /// The bytes before each value: `{"pid":`, `,"tid":`, …
    keys: Vec<Box<[u8]>>,
    /// The bytes after the last value.
    end: Box<[u8]>,
    /// The names that each column showed last, if it holds flags.
    flags: Vec<FlagCache>,
    line: LineCache,
}

/// One array of objects.
pub(super) fn array_framing() -> Framing {
    Framing {
        head: b"[".to_vec(),
        first: b"\n",
        separator: b",\n",
        tail: b"\n]\n",
        empty_tail: b"]\n",
    }
}

impl Objects {
    /// Objects of an array, which [`array_framing`] separates.
    pub(super) fn in_array(schema: &Schema) -> Objects {
        Objects::new(schema, b"")
    }

    /// Objects that are a line each.
    pub(super) fn in_lines(schema: &Schema) -> Objects {
        Objects::new(schema, b"\n")
    }

    fn new(schema: &Schema, after: &[u8]) -> Objects {
        let columns = &schema.columns;
        let mut nesting = Nesting::default();
        let keys = columns.iter().map(|column| nesting.before(column));
        let keys = keys.collect();
        let end = [&*nesting.end(), after].concat();
        Objects {
            keys,
            end: end.into(),
            flags: columns.iter().map(|_| FlagCache::default()).collect(),
            line: LineCache::new(schema),
        }
    }

    #[inline]
    pub(super) fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        let Objects {
            keys,
            end,
            flags,
            line,
        } = self;
        line.append(schema, record, out, |index, value, out| {
            out.extend_from_slice(&keys[index]);
            match value {
                Value::Flags(set) => out.extend_from_slice(flags[index].formatted(set, names)),
                value => write(out, value),
            }
            if index + 1 == keys.len() {
                out.extend_from_slice(end);
            }
        });
    }
}

/// Appends a value.
#[inline]
fn write(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Absent => out.extend_from_slice(b"null"),
        Value::Unsigned(number) => decimal(out, number),
        Value::Signed(number) => decimal(out, number),
        Value::Bool(yes) => out.extend_from_slice(if yes { b"true" } else { b"false" }),
        // JSON has numbers for neither infinities nor NaN.
        Value::Float(number) if !number.is_finite() => {
            formatted(out, format_args!("\"{number:?}\""));
        }
        Value::Float(number) => formatted(out, format_args!("{number:?}")),
        Value::ShortFloat(number) if !number.is_finite() => {
            formatted(out, format_args!("\"{number:?}\""));
        }
        Value::ShortFloat(number) => formatted(out, format_args!("{number:?}")),
        Value::Hex(bits) => quoted(out, |out| hex_number(out, bits)),
        Value::Device(major, minor) => quoted(out, |out| {
            decimal(out, major);
            out.push(b':');
            decimal(out, minor);
        }),
        Value::Name(name) => json_string(out, name),
        // A string, because a column has one type: the names around it are strings.
        Value::Nameless(number) => quoted(out, |out| decimal(out, number)),
        Value::Flags(set) => names(out, set),
        // The usual string has nothing to escape.
        Value::Text(bytes) if is_plain(bytes) && !bytes.contains(&b'"') => {
            quoted(out, |out| out.extend_from_slice(bytes));
        }
        Value::Text(bytes) => as_utf8(bytes, |text| json_string(out, text)),
        Value::Bytes(bytes) => quoted(out, |out| hex_bytes(out, bytes)),
        Value::Ip(address) => quoted(out, |out| ip(out, address)),
    }
}

/// Appends a set of flags as a list of names, with unnamed bits as one number.
fn names(out: &mut Vec<u8>, flags: Flags<'_>) {
    out.push(b'[');
    let start = out.len();
    for name in flags.names() {
        json_string(out, name);
        out.push(b',');
    }
    match flags.nameless() {
        0 if out.len() > start => {
            out.pop();
        }
        0 => {}
        bits => quoted(out, |out| hex_number(out, bits)),
    }
    out.push(b']');
}

/// Appends the output of `write`, which must need no escapes, in quotes.
#[inline]
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}
