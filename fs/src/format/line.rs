//! A row's line, made of the line before.
//!
//! Rows that follow one another mostly differ in a few columns: another descriptor of
//! the same process, another socket of the same port. So the line of a row is kept with
//! the record it shows, and of the next only those fields are spelled that lie where the
//! two records differ.

use iterfs_bpf::schema::{Kind, Record, Schema, Value};

/// The last row's line.
#[derive(Debug)]
pub(super) struct Line {
    bytes: Vec<u8>,
    /// Where each column's field ends in it.
    ends: Vec<usize>,
    /// The record it shows; nothing before the first.
    fixed: Vec<u8>,
    tail: Vec<u8>,
    /// A field on its way into the line.
    field: Vec<u8>,
    columns: Columns,
}

/// The columns that lie in some place of a record, a bit each.
type Set = u64;

/// Which columns to spell anew.
#[derive(Debug)]
enum Columns {
    /// Those of the words that differ, and of the string at the end.
    ByWord { words: Vec<Set>, tail: Set },
    /// All, as they are too many for a set.
    Always,
}

const WORD: usize = size_of::<u64>();

impl Line {
    pub(super) fn new(schema: &Schema) -> Line {
        Line {
            bytes: Vec::new(),
            ends: vec![0; schema.columns.len()],
            fixed: Vec::new(),
            tail: Vec::new(),
            field: Vec::new(),
            columns: Columns::of(schema),
        }
    }

    /// Appends the line of a record. `spell` appends the field of a column, with what
    /// stands around it.
    #[inline]
    pub(super) fn show<'a>(
        &mut self,
        schema: &'a Schema,
        record: Record<'a>,
        out: &mut Vec<u8>,
        mut spell: impl FnMut(usize, Value<'a>, &mut Vec<u8>),
    ) {
        match self.changed(record) {
            // Where most differ, going through all is quicker.
            Some(changed) if 2 * changed.count_ones() as usize <= self.ends.len() => {
                let mut rest = changed;
                while rest != 0 {
                    let index = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    self.field.clear();
                    spell(index, schema.columns[index].value(record), &mut self.field);
                    self.replace(index);
                }
            }
            _ => {
                self.bytes.clear();
                for (index, column) in schema.columns.iter().enumerate() {
                    spell(index, column.value(record), &mut self.bytes);
                    self.ends[index] = self.bytes.len();
                }
            }
        }
        self.fixed.clear();
        self.fixed.extend_from_slice(record.fixed());
        self.tail.clear();
        self.tail.extend_from_slice(record.tail());
        out.extend_from_slice(&self.bytes);
    }

    /// The columns in which a record may differ from the last; none if nothing is known.
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

    /// Puts the new field of a column into the line.
    #[inline]
    fn replace(&mut self, index: usize) {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = self.ends[index];
        let new_end = start + self.field.len();
        if new_end != end {
            self.move_rest(index, end, new_end);
        }
        self.bytes[start..new_end].copy_from_slice(&self.field);
    }

    /// Moves what follows a column's field.
    fn move_rest(&mut self, index: usize, end: usize, new_end: usize) {
        let length = self.bytes.len();
        let new_length = length - end + new_end;
        if new_length > length {
            self.bytes.resize(new_length, 0);
        }
        self.bytes.copy_within(end..length, new_end);
        self.bytes.truncate(new_length);
        for end_after in &mut self.ends[index..] {
            *end_after = *end_after - end + new_end;
        }
    }
}

impl Columns {
    fn of(schema: &Schema) -> Columns {
        if schema.columns.len() > Set::BITS as usize {
            return Columns::Always;
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
