//! The terms of a name, as written. Nothing here knows a table.

use std::time::Duration;

/// The terms of a name, in the order that they were written in, by kind.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Query {
    /// The columns to show.
    pub columns: Columns,
    /// The conditions on rows.
    pub conditions: Vec<Condition>,
    /// Show only the rows with the largest or smallest values of a column.
    pub top: Option<Largest>,
    /// Show only this many rows, at least one.
    pub first: Option<u64>,
    /// Make a pass again and again, with this time between the beginnings of two.
    pub every: Option<Duration>,
    /// Make the file whole when it is looked up, so that it has a size.
    pub whole: bool,
}

/// The columns that a name asks for.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Columns {
    /// The columns to show instead of the default ones, in this order: `column`.
    pub only: Vec<Box<str>>,
    /// The columns to show after those: `+column`.
    pub also: Vec<Box<str>>,
}

/// A condition on a column: `column=value` or `column!=value`.
///
/// Conditions with `=` on the same column mean any of them, and those with `!=` all of them.
/// Conditions on different columns must all hold.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Condition {
    /// The column.
    pub column: Box<str>,
    /// Whether the rows are wanted for which the condition does not hold: `!=`.
    pub negated: bool,
    /// The values that it names.
    pub value: Written,
}

/// The value of a condition, without percent-encoding.
///
/// A column of text has no ranges: there, a range stands for the text with two dots in it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Written {
    /// `column=`: no value.
    Absent,
    /// `column=value`, never empty.
    Exactly(Box<[u8]>),
    /// `column=text*`: a value that begins so. The text may be empty.
    BeginsWith(Box<[u8]>),
    /// `column=low..high`, both included. Either may be empty: no bound on that side.
    Between(Box<[u8]>, Box<[u8]>),
}

/// The rows with the largest values of a column: `top=N:column`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Largest {
    /// The number of rows, at least one and at most [`Largest::MOST`].
    pub count: u32,
    /// The column.
    pub column: Box<str>,
    /// Whether the smallest values are wanted: `top=N:-column`.
    pub smallest: bool,
}

impl Largest {
    /// The most rows that may be asked for. The daemon holds them in memory.
    pub const MOST: u32 = 10_000;
}
