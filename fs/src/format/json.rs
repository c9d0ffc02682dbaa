//! JSON: one array, or an object a line.

use super::line::Line;
use super::nesting::Nesting;
use super::remembered::Remembered;
use super::spelling::{as_utf8, decimal, formatted, hex, hexadecimal, ip, is_plain, string};
use iterfs_bpf::schema::{Flags, Record, Schema, Value};

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
    flags: Vec<Remembered>,
    line: Line,
    first: bool,
}

impl Objects {
    pub(super) fn new(schema: &Schema, framing: Framing) -> Objects {
        let mut nesting = Nesting::default();
        let keys = schema.columns.iter().map(|column| nesting.before(column));
        let keys = keys.collect();
        let mut end = nesting.end().into_vec();
        if framing == Framing::Lines {
            end.push(b'\n');
        }
        Objects {
            framing,
            keys,
            end: end.into(),
            line: Line::new(schema),
            flags: schema
                .columns
                .iter()
                .map(|_| Remembered::default())
                .collect(),
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
        let Objects {
            keys, flags, end, ..
        } = self;
        self.line.show(schema, record, out, |index, value, out| {
            out.extend_from_slice(&keys[index]);
            match value {
                Value::Flags(set) => out.extend_from_slice(flags[index].spelled(set, names)),
                value => write(out, value),
            }
            if index + 1 == keys.len() {
                out.extend_from_slice(end);
            }
        });
    }

    pub(super) fn follow_rows(&mut self) {
        self.first = false;
    }

    pub(super) fn finish(&self, any_rows: bool, out: &mut Vec<u8>) {
        if self.framing == Framing::Array {
            out.extend_from_slice(if any_rows { b"\n]\n" } else { b"]\n" });
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
        Value::Hex(bits) => quoted(out, |out| hex(out, bits)),
        Value::Device(major, minor) => quoted(out, |out| {
            decimal(out, major);
            out.push(b':');
            decimal(out, minor);
        }),
        Value::Name(name) => string(out, name),
        // A string even so: a column keeps to one type.
        Value::Nameless(number) => quoted(out, |out| decimal(out, number)),
        Value::Flags(set) => names(out, set),
        // Nothing to escape, most often.
        Value::Text(bytes) if is_plain(bytes) && !bytes.contains(&b'"') => {
            quoted(out, |out| out.extend_from_slice(bytes));
        }
        Value::Text(bytes) => as_utf8(bytes, |text| string(out, text)),
        Value::Bytes(bytes) => quoted(out, |out| hexadecimal(out, bytes)),
        Value::Ip(address) => quoted(out, |out| ip(out, address)),
    }
}

fn names(out: &mut Vec<u8>, flags: Flags<'_>) {
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
        bits => quoted(out, |out| hex(out, bits)),
    }
    out.push(b']');
}

/// Writes what needs no escapes between quotes.
#[inline]
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}
