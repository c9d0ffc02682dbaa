//! CSV as defined by RFC 4180: a header, lines that end in CRLF, and quotes where a field
//! needs them.

use super::framing::Framing;
use super::line_cache::LineCache;
use super::values::{as_utf8, unquoted};
use iterfs_mapping::row::{Record, Schema};

/// Writes rows as lines of CSV.
#[derive(Debug)]
pub(super) struct Lines {
    columns: usize,
    line: LineCache,
}

/// CSV begins with the names of the columns.
pub(super) fn framing(schema: &Schema) -> Framing {
    let columns = schema.columns.len();
    let mut header = Vec::new();
    for (index, column) in schema.columns.iter().enumerate() {
        field(&mut header, &column.name);
        header.extend_from_slice(after(index + 1 == columns));
    }
    Framing::with_header(header)
}

impl Lines {
    pub(super) fn new(schema: &Schema) -> Lines {
        Lines {
            columns: schema.columns.len(),
            line: LineCache::new(schema),
        }
    }

    #[inline]
    pub(super) fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        let columns = self.columns;
        self.line.append(schema, record, out, |index, value, out| {
            unquoted(out, value, |out, bytes| {
                as_utf8(bytes, |text| field(out, text));
            });
            out.extend_from_slice(after(index + 1 == columns));
        });
    }
}

/// The bytes after a field.
fn after(is_last: bool) -> &'static [u8] {
    if is_last { b"\r\n" } else { b"," }
}

/// Appends a string as a field, in quotes if it needs them. The crate csv-core writes whole
/// rows in order; here only the fields that changed since the row before are written again.
fn field(out: &mut Vec<u8>, text: &str) {
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
