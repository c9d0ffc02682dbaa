//! A query that was compared with the schema of a table.

use super::filter::Filter;
use crate::row::{Column, Schema};
use std::sync::Arc;

/// What a name asks of a table: the columns to show, and which rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The shape of the records, with the columns to show in the order to show them.
    pub schema: Arc<Schema>,
    /// The columns that must be made: those to show, and those that conditions and `top` need.
    pub made: Shown,
    /// The conditions on rows.
    pub filter: Filter,
    /// The one process to which the conditions narrow the table.
    pub process: Option<u32>,
    /// The rows with the largest values.
    pub top: Option<Top>,
    /// The number of rows to show.
    pub first: Option<u64>,
}

/// The rows with the largest or smallest values of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// The number of rows.
    pub count: u32,
    /// The column. Its value is a number, a flag or a time.
    pub column: Column,
    /// Whether the smallest values are wanted.
    pub smallest: bool,
}

/// A set of columns, by the offsets of their values in the record.
///
/// Offsets identify columns because a program knows the offset of a member when it is compiled.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shown {
    offsets: Vec<usize>,
}

impl Shown {
    /// The set of these columns.
    pub fn of<'a>(columns: impl Iterator<Item = &'a Column>) -> Shown {
        let mut offsets: Vec<_> = columns.map(|column| column.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        Shown { offsets }
    }

    /// Whether the column at this offset is in the set.
    pub fn contains(&self, offset: usize) -> bool {
        self.offsets.binary_search(&offset).is_ok()
    }

    /// The offsets, in ascending order.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }
}

impl Schema {
    /// The same records, with only those columns that are shown unless a name asks for others.
    pub fn by_default(&self) -> Schema {
        let columns = self.columns.iter().filter(|column| !column.on_request);
        Schema {
            columns: columns.cloned().collect(),
            ..self.clone()
        }
    }
}
