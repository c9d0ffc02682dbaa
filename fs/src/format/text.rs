//! Text: a header, then a line a row, in columns of at least a fixed width.
//!
//! Every line has as many fields as the header, split by blanks. Rows stream,
//! so widths come from the columns' types and a wide value pushes its line
//! aside.

use super::line::Line;
use super::remembered::Remembered;
use super::spelling::{is_plain, joined, octal, plain};
use iterfs_bpf::schema::{Record, Schema, Value};

/// The layout of a table's lines.
#[derive(Debug)]
pub struct Columns {
    names: Vec<String>,
    cells: Vec<Cell>,
    line: Line,
}

#[derive(Debug)]
struct Cell {
    shape: Shape,
    flags: Remembered,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    width: usize,
    right: bool,
    /// What comes after it.
    end: u8,
}

/// Enough blanks for any column's width.
const BLANKS: &[u8; 64] = &[b' '; 64];

impl Columns {
    pub(super) fn new(schema: &Schema) -> Columns {
        let cells = schema.columns.iter().enumerate().map(|(index, column)| {
            let is_last = index + 1 == schema.columns.len();
            let (width, right) = column.kind.shape();
            let width = width.max(column.name.len()).min(BLANKS.len());
            let shape = Shape {
                // No blanks before the end of a line.
                width: if is_last && !right { 0 } else { width },
                right,
                end: if is_last { b'\n' } else { b' ' },
            };
            Cell {
                shape,
                flags: Remembered::default(),
            }
        });
        let names = schema.columns.iter().map(|column| column.name.clone());
        Columns {
            names: names.collect(),
            cells: cells.collect(),
            line: Line::new(schema),
        }
    }

    pub(super) fn header(&self, out: &mut Vec<u8>) {
        for (cell, name) in self.cells.iter().zip(&self.names) {
            let name = name.as_bytes();
            cell.shape.fill(out, |out| out.extend_from_slice(name));
        }
    }

    #[inline]
    pub(super) fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        let cells = &mut self.cells;
        self.line.show(schema, record, out, |index, value, out| {
            cells[index].show(value, out);
        });
    }
}

impl Cell {
    #[inline]
    fn show(&mut self, value: Value<'_>, out: &mut Vec<u8>) {
        let shape = self.shape;
        match value {
            Value::Unsigned(number) if shape.right => {
                let mut digits = itoa::Buffer::new();
                let digits = digits.format(number).as_bytes();
                out.extend_from_slice(&BLANKS[..shape.width.saturating_sub(digits.len())]);
                out.extend_from_slice(digits);
                out.push(shape.end);
            }
            Value::Flags(flags) => {
                let spelled = self.flags.spelled(flags, or_dash);
                shape.fill(out, |out| out.extend_from_slice(spelled));
            }
            value => shape.fill(out, |out| spell(out, value)),
        }
    }
}

impl Shape {
    /// Appends what `write` does, with the blanks that belong to it.
    #[inline]
    fn fill(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        write(out);
        let missing = self.width.saturating_sub(out.len() - start);
        out.extend_from_slice(&BLANKS[..missing]);
        if self.right && missing > 0 {
            out[start..].rotate_right(missing);
        }
        out.push(self.end);
    }
}

/// Appends a value as a field, which is never empty.
fn spell(out: &mut Vec<u8>, value: Value<'_>) {
    let start = out.len();
    plain(out, value, word);
    if out.len() == start {
        out.push(b'-');
    }
}

fn or_dash(out: &mut Vec<u8>, flags: iterfs_bpf::schema::Flags<'_>) {
    joined(out, flags);
    if out.is_empty() {
        out.push(b'-');
    }
}

/// Appends a string as one word: what would split it or is not text becomes `\ooo`.
pub(crate) fn word(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) && bytes != b"-" {
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
