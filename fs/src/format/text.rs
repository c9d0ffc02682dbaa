//! Text: a header, then one line per row, in columns of a minimum width.
//!
//! Every line has as many fields as the header, separated by blanks. Rows stream, so
//! widths come from the types of the columns, and a value that is wider shifts the rest of
//! its line.

use super::flag_cache::FlagCache;
use super::framing::Framing;
use super::line_cache::LineCache;
use super::values::{flag_names, is_plain, octal, unquoted};
use iterfs_mapping::row::{Cell, Flags, Record, Schema, Value, WIDEST};

/// Writes rows as lines of text.
#[derive(Debug)]
pub(super) struct Columns {
    columns: Vec<Column>,
    line: LineCache,
}

/// How a column shows its values.
#[derive(Debug)]
struct Column {
    cell: Cell,
    flags: FlagCache,
}

/// Enough blanks for the width of any column.
const BLANKS: &[u8; WIDEST] = &[b' '; WIDEST];

/// Text begins with the names of the columns.
pub(super) fn framing(schema: &Schema) -> Framing {
    let mut header = Vec::new();
    for (cell, column) in schema.cells().zip(&schema.columns) {
        let name = column.name.as_bytes();
        fill(&mut header, cell, |out| out.extend_from_slice(name));
    }
    Framing::with_header(header)
}

impl Columns {
    pub(super) fn new(schema: &Schema) -> Columns {
        let columns = schema.cells().map(|cell| Column {
            cell,
            flags: FlagCache::default(),
        });
        Columns {
            columns: columns.collect(),
            line: LineCache::new(schema),
        }
    }

    #[inline]
    pub(super) fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        let columns = &mut self.columns;
        self.line.append(schema, record, out, |index, value, out| {
            columns[index].append(value, out);
        });
    }
}

impl Column {
    #[inline]
    fn append(&mut self, value: Value<'_>, out: &mut Vec<u8>) {
        let cell = self.cell;
        match value {
            Value::Unsigned(number) if cell.right => {
                let mut digits = itoa::Buffer::new();
                let digits = digits.format(number).as_bytes();
                out.extend_from_slice(&BLANKS[..cell.width.saturating_sub(digits.len())]);
                out.extend_from_slice(digits);
                out.push(cell.end());
            }
            Value::Flags(flags) => {
                let names = self.flags.formatted(flags, flags_or_dash);
                fill(out, cell, |out| out.extend_from_slice(names));
            }
            value => fill(out, cell, |out| value_or_dash(out, value)),
        }
    }
}

/// Appends the output of `write`, padded with blanks, and the byte after it.
#[inline]
fn fill(out: &mut Vec<u8>, cell: Cell, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let missing = cell.width.saturating_sub(out.len() - start);
    out.extend_from_slice(&BLANKS[..missing]);
    if cell.right && missing > 0 {
        out[start..].rotate_right(missing);
    }
    out.push(cell.end());
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
