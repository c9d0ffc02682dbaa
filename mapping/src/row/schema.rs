//! The shape of a table's rows: columns, and where each lies in the record.

use super::kind::Kind;
use serde::{Deserialize, Serialize};

/// The shape of a table's rows.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Schema {
    /// What one row is, such as "a thread".
    pub row: String,
    /// Bytes of a record before its trailing string, if it has one.
    pub fixed_size: usize,
    /// Where the fixed part holds the length of the trailing string (a `u16`).
    pub tail_length: Option<usize>,
    /// The columns, in the order they are shown.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Where it stands among nested values, in formats that nest; empty for a
    /// column that stands by its name alone.
    pub path: Vec<Step>,
    /// What it means, in a line.
    pub doc: String,
    /// Where its value starts in the record.
    pub offset: usize,
    /// What its value is.
    pub kind: Kind,
    /// The value that stands for "there is none", by its bits.
    pub absent: Option<u64>,
}

/// A step from a row to a value nested in it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Step {
    /// To the member of this name.
    Member(Box<str>),
    /// To this element of a list.
    Element(usize),
}

impl Schema {
    /// Keeps what may be addresses of the kernel's from the reader.
    pub fn hide_addresses(&mut self) {
        for column in &mut self.columns {
            if let Kind::Pointer { shown } = &mut column.kind {
                *shown = false;
            }
        }
    }

    /// Whether every column lies within the record; decoding relies on it.
    pub fn check(&self) -> Result<(), String> {
        let fits = |offset: usize, size: usize| {
            offset
                .checked_add(size)
                .is_some_and(|end| end <= self.fixed_size)
        };
        if self.columns.is_empty() {
            return Err("the row has no columns".into());
        }
        if let Some(offset) = self.tail_length
            && !fits(offset, 2)
        {
            return Err("the trailing string's length lies outside the row".into());
        }
        match self.columns.iter().find(|c| !fits(c.offset, c.kind.size())) {
            Some(column) => Err(format!("the column {} lies outside the row", column.name)),
            None => Ok(()),
        }
    }
}
