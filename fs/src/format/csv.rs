//! CSV as RFC 4180 has it: a header, CRLF, quotes where they are needed.

use super::number::{as_utf8, decimal, formatted, hexadecimal, joined};
use iterfs_bpf::schema::{Record, Schema, Value};

/// The lines of a table.
#[derive(Debug)]
pub struct Lines {
    header: Vec<u8>,
}

impl Lines {
    pub(super) fn new(schema: &Schema) -> Lines {
        let mut header = Vec::new();
        for column in &schema.columns {
            quoted(&mut header, &column.name);
            header.push(b',');
        }
        end_line(&mut header);
        Lines { header }
    }

    pub(super) fn header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
    }

    #[inline]
    pub(super) fn row(&self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        for column in &schema.columns {
            write(out, column.value(record));
            out.push(b',');
        }
        end_line(out);
    }
}

/// Puts the end of the line in place of the last comma.
fn end_line(out: &mut Vec<u8>) {
    out.pop();
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn write(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Absent => {}
        Value::Unsigned(number) | Value::Nameless(number) => decimal(out, number),
        Value::Signed(number) => decimal(out, number),
        Value::Bool(yes) => out.extend_from_slice(if yes { b"true" } else { b"false" }),
        Value::Hex(bits) => formatted(out, format_args!("{bits:#x}")),
        Value::Device(major, minor) => formatted(out, format_args!("{major}:{minor}")),
        Value::Name(name) => quoted(out, name),
        Value::Flags(flags) => joined(out, flags),
        Value::Text(bytes) => as_utf8(bytes, |text| quoted(out, text)),
        Value::Bytes(bytes) => hexadecimal(out, bytes),
        Value::Ip(address) => formatted(out, format_args!("{address}")),
    }
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    if !text.contains(['"', ',', '\r', '\n']) {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
