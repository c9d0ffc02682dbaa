//! Text: a header, then a line a row, in columns of at least a fixed width.
//!
//! Every line has as many fields as the header, split by blanks. Rows stream,
//! so widths come from the columns' types and a wide value pushes its line
//! aside.

use super::spelling::{octal, plain};
use iterfs_bpf::schema::{Kind, Record, Schema, Width};

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
            let (width, right) = shape(&column.kind);
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

/// The usual width of a type's values, and whether they stand at the right.
fn shape(kind: &Kind) -> (usize, bool) {
    match kind {
        Kind::Bits(_, shown) => shape(shown),
        Kind::Float(_) => (12, true),
        Kind::Unsigned(width, _) | Kind::Signed(width) => match width {
            Width::One => (3, true),
            Width::Two => (5, true),
            Width::Four => (7, true),
            Width::Eight => (12, true),
        },
        Kind::Bool => (5, false),
        Kind::Hex(_) | Kind::Pointer { .. } => (10, true),
        Kind::Device => (7, true),
        Kind::Name(_, names) => (
            names.iter().map(|(_, name)| name.len()).max().unwrap_or(0),
            false,
        ),
        Kind::Flags(..) => (16, false),
        Kind::Text(capacity) => (capacity.saturating_sub(1), false),
        Kind::Bytes(size) => (2 * size, false),
        Kind::Ipv6 => (24, false),
        Kind::Inet => (15, false),
        Kind::Tail | Kind::MapKey | Kind::MapValue => (0, false),
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
