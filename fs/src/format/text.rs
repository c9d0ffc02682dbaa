//! Text: a header, then a line a row, in columns of at least a fixed width.
//!
//! Every line has as many fields as the header, split by blanks. Rows stream,
//! so widths come from the columns' types and a wide value pushes its line
//! aside.

use super::spelling::{octal, plain};
use iterfs_bpf::schema::{Record, Schema};

/// The layout of a table's lines.
#[derive(Debug)]
pub struct Columns {
    names: Vec<String>,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    width: usize,
    right: bool,
}

/// Enough blanks for any column's width.
const BLANKS: &[u8; 64] = &[b' '; 64];

impl Columns {
    pub(super) fn new(schema: &Schema) -> Columns {
        let cells = schema.columns.iter().map(|column| {
            let (width, right) = column.kind.shape();
            Cell {
                width: width.max(column.name.len()).min(BLANKS.len()),
                right,
            }
        });
        Columns {
            names: schema
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
            cells: cells.collect(),
        }
    }

    pub(super) fn header(&self, out: &mut Vec<u8>) {
        self.line(out, |index, out| {
            out.extend_from_slice(self.names[index].as_bytes())
        });
    }

    #[inline]
    pub(super) fn row(&self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        self.line(out, |index, out| {
            let start = out.len();
            plain(out, schema.columns[index].value(record), word);
            if out.len() == start {
                out.push(b'-');
            }
        });
    }

    /// Writes a line of which `write` writes each field.
    #[inline]
    fn line(&self, out: &mut Vec<u8>, write: impl Fn(usize, &mut Vec<u8>)) {
        let last = self.cells.len() - 1;
        for (index, cell) in self.cells.iter().enumerate() {
            let start = out.len();
            write(index, out);
            let missing = cell.width.saturating_sub(out.len() - start);
            if cell.right && missing > 0 {
                // Move the field to the right of its cell.
                let end = out.len();
                out.extend_from_slice(&BLANKS[..missing]);
                out.copy_within(start..end, start + missing);
                out[start..start + missing].fill(b' ');
            } else if index != last {
                out.extend_from_slice(&BLANKS[..missing]);
            }
            out.push(if index == last { b'\n' } else { b' ' });
        }
    }
}

/// Appends a string as one word: what would split it or is not text becomes `\ooo`.
pub(crate) fn word(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes
        .iter()
        .all(|byte| byte.is_ascii_graphic() && *byte != b'\\')
        && bytes != b"-"
    {
        return out.extend_from_slice(bytes);
    }
    // A lone dash would read as an empty field.
    if bytes == b"-" {
        return octal(out, b'-');
    }
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let encoded = character.encode_utf8(&mut buffer).as_bytes();
            if character == '\\' || character.is_whitespace() || character.is_control() {
                encoded.iter().for_each(|byte| octal(out, *byte));
            } else {
                out.extend_from_slice(encoded);
            }
        }
        chunk.invalid().iter().for_each(|byte| octal(out, *byte));
    }
}
