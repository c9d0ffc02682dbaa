//! The line of the last row, from which the line of the next row is made.
//!
//! Neighbouring rows usually differ in a few columns: another descriptor of the same
//! process, another socket of the same port. So each formatter keeps the last line together
//! with the record that it shows, and formats only those fields of the next row that lie
//! where the two records differ.

use iterfs_mapping::row::{Kind, Record, Schema, Value};

/// The last row and its line.
#[derive(Debug)]
pub(super) struct LineCache {
    line: Vec<u8>,
    /// The end of each column's field in the line.
    ends: Vec<usize>,
    /// The record that the line shows; empty before the first row.
    fixed: Vec<u8>,
    tail: Vec<u8>,
    /// A new field on its way into the line.
    field: Vec<u8>,
    columns: Columns,
}

/// A set of columns, one bit each.
type Set = u64;

/// Which columns to format again where two records differ.
#[derive(Debug)]
enum Columns {
    /// The columns that lie in each word of a record, and in the string at its end.
    ByWord { words: Vec<Set>, tail: Set },
    /// All columns, because there are too many for a [`Set`].
    All,
}

const WORD: usize = size_of::<u64>();

impl LineCache {
    pub(super) fn new(schema: &Schema) -> LineCache {
        LineCache {
            line: Vec::new(),
            ends: vec![0; schema.columns.len()],
            fixed: Vec::new(),
            tail: Vec::new(),
            field: Vec::new(),
            columns: Columns::of(schema),
        }
    }

    /// Appends the line of a record. `format` appends the field of a column, including
    /// everything up to the next field.
    #[inline]
    pub(super) fn append<'a>(
        &mut self,
        schema: &'a Schema,
        record: Record<'a>,
        out: &mut Vec<u8>,
        mut format: impl FnMut(usize, Value<'a>, &mut Vec<u8>),
    ) {
        match self.changed(record) {
            // If most columns differ, it is faster to format all of them.
            Some(changed) if 2 * changed.count_ones() as usize <= self.ends.len() => {
                let mut rest = changed;
                while rest != 0 {
                    let index = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    self.field.clear();
                    format(index, schema.columns[index].value(record), &mut self.field);
                    self.replace(index);
                }
            }
            _ => {
                self.line.clear();
                for (index, column) in schema.columns.iter().enumerate() {
                    format(index, column.value(record), &mut self.line);
                    self.ends[index] = self.line.len();
                }
            }
        }
        self.fixed.clear();
        self.fixed.extend_from_slice(record.fixed());
        self.tail.clear();
        self.tail.extend_from_slice(record.tail());
        out.extend_from_slice(&self.line);
    }

    /// The columns in which a record may differ from the last, or `None` if any may.
    #[inline]
    fn changed(&self, record: Record<'_>) -> Option<Set> {
        let Columns::ByWord { words, tail } = &self.columns else {
            return None;
        };
        if self.fixed.len() != record.fixed().len() {
            return None;
        }
        let (before, before_rest) = self.fixed.as_chunks::<WORD>();
        let (now, now_rest) = record.fixed().as_chunks::<WORD>();
        let mut changed = 0;
        for ((before, now), columns) in before.iter().zip(now).zip(words) {
            if before != now {
                changed |= columns;
            }
        }
        if before_rest != now_rest {
            changed |= words.last().unwrap_or(&0);
        }
        if *tail != 0 && self.tail != record.tail() {
            changed |= tail;
        }
        Some(changed)
    }

    /// Replaces the field of a column in the line.
    #[inline]
    fn replace(&mut self, index: usize) {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = self.ends[index];
        let new_end = start + self.field.len();
        if new_end != end {
            self.move_rest(index, end, new_end);
        }
        self.line[start..new_end].copy_from_slice(&self.field);
    }

    /// Moves the part of the line that follows a column's field.
    fn move_rest(&mut self, index: usize, end: usize, new_end: usize) {
        let length = self.line.len();
        let new_length = length - end + new_end;
        if new_length > length {
            self.line.resize(new_length, 0);
        }
        self.line.copy_within(end..length, new_end);
        self.line.truncate(new_length);
        for end_after in &mut self.ends[index..] {
            *end_after = *end_after - end + new_end;
        }
    }
}

impl Columns {
    fn of(schema: &Schema) -> Columns {
        if schema.columns.len() > Set::BITS as usize {
            return Columns::All;
        }
        let mut words = vec![0; schema.fixed_size.div_ceil(WORD)];
        let mut tail = 0;
        for (index, column) in schema.columns.iter().enumerate() {
            let bit: Set = 1 << index;
            if column.kind == Kind::Tail {
                tail |= bit;
            }
            let end = column.offset + column.kind.size();
            for word in &mut words[column.offset / WORD..end.div_ceil(WORD)] {
                *word |= bit;
            }
        }
        Columns::ByWord { words, tail }
    }
}
