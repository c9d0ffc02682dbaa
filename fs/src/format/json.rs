//! JSON: one array, or an object a line.

use super::nesting::Nesting;
use super::spelling::{as_utf8, decimal, formatted, hexadecimal};
use iterfs_bpf::schema::{Record, Schema, Value};

/// What stands around and between the objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// One array.
    Array,
    /// Nothing but the ends of lines.
    Lines,
}

/// The layout of a table's objects.
#[derive(Debug)]
pub struct Objects {
    framing: Framing,
    /// What comes before each value: `{"pid":`, `,"tid":`, …
    keys: Vec<Box<[u8]>>,
    /// What comes after the last.
    end: Box<[u8]>,
    first: bool,
}

impl Objects {
    pub(super) fn new(schema: &Schema, framing: Framing) -> Objects {
        let mut nesting = Nesting::default();
        let keys = schema.columns.iter().map(|column| nesting.before(column));
        Objects {
            framing,
            keys: keys.collect(),
            end: nesting.end(),
            first: true,
        }
    }

    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        self.first = true;
        if self.framing == Framing::Array {
            out.push(b'[');
        }
    }

    #[inline]
    pub(super) fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        match self.framing {
            Framing::Array if self.first => out.push(b'\n'),
            Framing::Array => out.extend_from_slice(b",\n"),
            Framing::Lines => {}
        }
        self.first = false;
        for (key, column) in self.keys.iter().zip(&schema.columns) {
            out.extend_from_slice(key);
            write(out, column.value(record));
        }
        out.extend_from_slice(&self.end);
        if self.framing == Framing::Lines {
            out.push(b'\n');
        }
    }

    pub(super) fn finish(&self, out: &mut Vec<u8>) {
        if self.framing == Framing::Array {
            out.extend_from_slice(if self.first { b"]\n" } else { b"\n]\n" });
        }
    }
}

#[inline]
fn write(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Absent => out.extend_from_slice(b"null"),
        Value::Unsigned(number) => decimal(out, number),
        Value::Signed(number) => decimal(out, number),
        Value::Bool(yes) => out.extend_from_slice(if yes { b"true" } else { b"false" }),
        // JSON has no infinities, and nothing that is not a number.
        Value::Float(number) if !number.is_finite() => {
            formatted(out, format_args!("\"{number:?}\""));
        }
        Value::Float(number) => formatted(out, format_args!("{number:?}")),
        Value::ShortFloat(number) if !number.is_finite() => {
            formatted(out, format_args!("\"{number:?}\""));
        }
        Value::ShortFloat(number) => formatted(out, format_args!("{number:?}")),
        Value::Hex(bits) => formatted(out, format_args!("\"{bits:#x}\"")),
        Value::Device(major, minor) => formatted(out, format_args!("\"{major}:{minor}\"")),
        Value::Name(name) => string(out, name),
        // A string even so: a column keeps to one type.
        Value::Nameless(number) => formatted(out, format_args!("\"{number}\"")),
        Value::Flags(flags) => {
            out.push(b'[');
            let start = out.len();
            for name in flags.names() {
                string(out, name);
                out.push(b',');
            }
            match flags.nameless() {
                0 if out.len() > start => {
                    out.pop();
                }
                0 => {}
                bits => formatted(out, format_args!("\"{bits:#x}\"")),
            }
            out.push(b']');
        }
        Value::Text(bytes) => as_utf8(bytes, |text| string(out, text)),
        Value::Bytes(bytes) => {
            out.push(b'"');
            hexadecimal(out, bytes);
            out.push(b'"');
        }
        Value::Ip(address) => formatted(out, format_args!("\"{address}\"")),
    }
}

pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    // Writing text to a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}
