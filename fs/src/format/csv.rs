//! CSV as RFC 4180 has it: a header, CRLF, quotes where they are needed.

use super::line::Line;
use super::spelling::{as_utf8, plain};
use iterfs_bpf::schema::{Record, Schema};

/// The lines of a table.
#[derive(Debug)]
pub struct Lines {
    header: Vec<u8>,
    columns: usize,
    line: Line,
}

impl Lines {
    pub(super) fn new(schema: &Schema) -> Lines {
        let columns = schema.columns.len();
        let mut header = Vec::new();
        for (index, column) in schema.columns.iter().enumerate() {
            quoted(&mut header, &column.name);
            header.extend_from_slice(after(index + 1 == columns));
        }
        Lines {
            header,
            columns,
            line: Line::new(schema),
        }
    }

    pub(super) fn header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
    }

    #[inline]
    pub(super) fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        let columns = self.columns;
        self.line.show(schema, record, out, |index, value, out| {
            plain(out, value, |out, bytes| {
                as_utf8(bytes, |text| quoted(out, text));
            });
            out.extend_from_slice(after(index + 1 == columns));
        });
    }
}

/// What comes after a field.
fn after(is_last: bool) -> &'static [u8] {
    if is_last { b"\r\n" } else { b"," }
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
