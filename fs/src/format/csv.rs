//! CSV as RFC 4180 has it: a header, CRLF, quotes where they are needed.

use super::spelling::{as_utf8, plain};
use iterfs_bpf::schema::{Record, Schema};

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
            plain(out, column.value(record), |out, bytes| {
                as_utf8(bytes, |text| quoted(out, text));
            });
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
