//! Text: a header, then a line a row, in columns of at least a fixed width.
//!
//! Every line has as many fields as the header, split by blanks. Rows stream,
//! so widths come from the columns' types and a wide value pushes its line
//! aside. Most values fit: a line begins as blanks, in which each field is put
//! into its place, and only a line with a wide value is pieced together.

use super::remembered::Remembered;
use super::spelling::{is_plain, joined, octal, plain};
use iterfs_bpf::schema::{Record, Schema, Value};

/// The layout of a table's lines.
#[derive(Debug)]
pub struct Columns {
    names: Vec<String>,
    cells: Vec<Cell>,
    /// A line up to its last field, with nothing in it.
    blank: Vec<u8>,
    /// A field on its way into its cell.
    field: Vec<u8>,
    flags: Vec<Remembered>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    /// Where it begins in a line without wide values.
    start: usize,
    width: usize,
    right: bool,
}

/// Enough blanks for any column's width.
const BLANKS: &[u8; 64] = &[b' '; 64];

impl Columns {
    pub(super) fn new(schema: &Schema) -> Columns {
        let mut end = 0;
        let cells = schema.columns.iter().map(|column| {
            let (width, right) = column.kind.shape();
            let cell = Cell {
                start: end,
                width: width.max(column.name.len()).min(BLANKS.len()),
                right,
            };
            end += cell.width + 1;
            cell
        });
        let cells: Vec<_> = cells.collect();
        let names = schema.columns.iter().map(|column| column.name.clone());
        Columns {
            names: names.collect(),
            blank: vec![b' '; cells.last().map_or(0, |last| last.start)],
            field: Vec::new(),
            flags: cells.iter().map(|_| Remembered::default()).collect(),
            cells,
        }
    }

    pub(super) fn header(&self, out: &mut Vec<u8>) {
        self.line(out, |index, out| {
            out.extend_from_slice(self.names[index].as_bytes())
        });
    }

    #[inline]
    pub(super) fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.blank);
        let (last, before) = match self.cells.split_last() {
            Some((_, before)) => (before.len(), before),
            None => return,
        };
        let line = &mut out[start..];
        for (index, cell) in before.iter().enumerate() {
            let place = &mut line[cell.start..cell.start + cell.width];
            let value = schema.columns[index].value(record);
            let fits = match value {
                Value::Flags(flags) => {
                    put(place, self.flags[index].spelled(flags, or_dash), cell.right)
                }
                value => fill(place, value, cell.right, &mut self.field),
            };
            if !fits {
                out.truncate(start);
                return self.wide_row(schema, record, out);
            }
        }
        let end = out.len();
        spell(out, schema.columns[last].value(record));
        let width = out.len() - end;
        let cell = self.cells[last];
        if cell.right && width < cell.width {
            out.splice(end..end, BLANKS[..cell.width - width].iter().copied());
        }
        out.push(b'\n');
    }

    /// A row with a value that its cell has no room for.
    #[cold]
    fn wide_row(&self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        self.line(out, |index, out| {
            spell(out, schema.columns[index].value(record));
        });
    }

    /// Writes a line of which `write` writes each field.
    fn line(&self, out: &mut Vec<u8>, write: impl Fn(usize, &mut Vec<u8>)) {
        let last = self.cells.len() - 1;
        for (index, cell) in self.cells.iter().enumerate() {
            let start = out.len();
            write(index, out);
            let missing = cell.width.saturating_sub(out.len() - start);
            if cell.right && missing > 0 {
                out.splice(start..start, BLANKS[..missing].iter().copied());
            } else if index != last {
                out.extend_from_slice(&BLANKS[..missing]);
            }
            out.push(if index == last { b'\n' } else { b' ' });
        }
    }
}

/// Puts a value into a cell of blanks, if there is room for it.
#[inline]
fn fill(cell: &mut [u8], value: Value<'_>, right: bool, field: &mut Vec<u8>) -> bool {
    match value {
        Value::Absent => put(cell, b"-", right),
        Value::Unsigned(number) => put(cell, itoa::Buffer::new().format(number).as_bytes(), right),
        Value::Name(name) => put(cell, name.as_bytes(), right),
        Value::Text(bytes) if is_plain(bytes) && bytes != b"-" => put(cell, bytes, right),
        value => {
            field.clear();
            spell(field, value);
            put(cell, field, right)
        }
    }
}

#[inline]
fn put(cell: &mut [u8], field: &[u8], right: bool) -> bool {
    let Some(room) = cell.len().checked_sub(field.len()) else {
        return false;
    };
    let at = if right { room } else { 0 };
    cell[at..at + field.len()].copy_from_slice(field);
    true
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
