//! The shape of a table's rows: the columns, and the offset of each in the record.

use super::kind::Kind;
use serde::{Deserialize, Serialize};

/// The shape of a table's rows.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Schema {
    /// A description of one row, such as "a thread".
    pub row: String,
    /// The size of a record in bytes, without the trailing string if it has one.
    pub fixed_size: usize,
    /// The offset in the fixed part of the trailing string's length (a `u16`).
    pub tail_length: Option<usize>,
    /// The columns, in the order they are shown.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Column {
    /// The name of the column.
    pub name: String,
    /// The position among nested values, for formats that nest; empty for a column that is not
    /// nested.
    pub path: Vec<Step>,
    /// The meaning of the column, in one line.
    pub doc: String,
    /// The offset of the value in the record, in bytes.
    pub offset: usize,
    /// The kind of the value.
    pub kind: Kind,
    /// The bits of the value that means absent, if there is such a value.
    pub absent: Option<u64>,
    /// Whether the column is made and shown only if a name asks for it.
    pub on_request: bool,
    /// The part that the column plays when two passes are compared.
    pub role: Role,
}

/// The part that a column plays when two passes over a table are compared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A value that may change in any way.
    #[default]
    Value,
    /// A part of the key: two rows with the same keys describe the same object.
    Key,
    /// A number that only grows for as long as the object exists, so its growth over time is
    /// a rate.
    Counter,
}

impl Column {
    /// A column with nothing special about it: always present, shown by default, not nested and
    /// without a description.
    pub fn new(name: &str, offset: usize, kind: Kind) -> Column {
        Column {
            name: name.into(),
            path: Vec::new(),
            doc: String::new(),
            offset,
            kind,
            absent: None,
            on_request: false,
            role: Role::Value,
        }
    }
}

/// A step from a row to a value nested in it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Step {
    /// To the member with this name.
    Member(Box<str>),
    /// To the element with this index in a list.
    Element(usize),
}

impl Schema {
    /// Hides all values that may be kernel addresses from the reader.
    pub fn hide_addresses(&mut self) {
        for column in &mut self.columns {
            if let Kind::Pointer { shown } = &mut column.kind {
                *shown = false;
            }
        }
    }

    /// Checks that every column lies within the record, on which decoding relies.
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
