//! Text: a header, then one line per row, in columns of a minimum width.
//!
//! Every line has as many fields as the header, separated by blanks. Rows stream, so
//! widths come from the types of the columns, and a value that is wider shifts the rest of
//! its line.

use super::flag_cache::FlagCache;
use super::framing::Framing;
use super::line_cache::LineCache;
use super::values::{flag_names, is_plain, octal, unquoted};
use iterfs_mapping::row::{Flags, Record, Schema, Value};

/// Writes rows as lines of text.
#[derive(Debug)]
pub(super) struct Columns {
    cells: Vec<Cell>,
    line: LineCache,
}

/// How a column shows its values.
#[derive(Debug)]
struct Cell {
    shape: Shape,
    flags: FlagCache,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Minimum width in bytes.
    width: usize,
    /// Whether values are aligned to the right.
    right: bool,
    /// The byte after a value.
    end: u8,
}

/// Enough blanks for the width of any column.
const BLANKS: &[u8; 64] = &[b' '; 64];

/// Text begins with the names of the columns.
pub(super) fn framing(schema: &Schema) -> Framing {
    let mut header = Vec::new();
    for (shape, column) in shapes(schema).zip(&schema.columns) {
        let name = column.name.as_bytes();
        shape.fill(&mut header, |out| out.extend_from_slice(name));
    }
    Framing::with_header(header)
}

fn shapes(schema: &Schema) -> impl Iterator<Item = Shape> {
    let columns = schema.columns.iter().enumerate();
    columns.map(|(index, column)| {
        let is_last = index + 1 == schema.columns.len();
        let (width, right) = column.kind.shape();
        let width = width.max(column.name.len()).min(BLANKS.len());
        Shape {
            // A line does not end in blanks.
            width: if is_last && !right { 0 } else { width },
            right,
            end: if is_last { b'\n' } else { b' ' },
        }
    })
}

impl Columns {
    pub(super) fn new(schema: &Schema) -> Columns {
        let cells = shapes(schema).map(|shape| Cell {
            shape,
            flags: FlagCache::default(),
        });
        Columns {
            cells: cells.collect(),
            line: LineCache::new(schema),
        }
    }

    #[inline]
    pub(super) fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        let cells = &mut self.cells;
        self.line.append(schema, record, out, |index, value, out| {
            cells[index].append(value, out);
        });
    }
}

impl Cell {
    #[inline]
    fn append(&mut self, value: Value<'_>, out: &mut Vec<u8>) {
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
                let names = self.flags.formatted(flags, flags_or_dash);
                shape.fill(out, |out| out.extend_from_slice(names));
            }
            value => shape.fill(out, |out| value_or_dash(out, value)),
        }
    }
}

impl Shape {
    /// Appends the output of `write`, padded with blanks, and the byte after it.
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

/// Appends a value, or a dash if it is empty.
fn value_or_dash(out: &mut Vec<u8>, value: Value<'_>) {
    let start = out.len();
    unquoted(out, value, word);
    if out.len() == start {
        out.push(b'-');
    }
}

/// Appends a set of flags, or a dash if it is empty.
fn flags_or_dash(out: &mut Vec<u8>, flags: Flags<'_>) {
    flag_names(out, flags);
    if out.is_empty() {
        out.push(b'-');
    }
}

/// Appends a string as one word: bytes that would split it or are not text become `\ooo`.
pub(crate) fn word(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) && bytes != b"-" {
        return out.extend_from_slice(bytes);
    }
    // A lone dash stands for an empty field.
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
