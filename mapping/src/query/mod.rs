//! Names that ask: `TABLE@TERM[,TERM…][.FORMAT]`.
//!
//! A name goes two steps. [`Query::parse`] reads its terms, which needs no table: a [`Query`]
//! is what was written. [`Question::of`] then compares it with the [`Schema`] of a table: a
//! [`Question`] knows the columns to show, the conditions as tests of a record's bytes, and the
//! part of the table that must be walked. A [`Fault`] says which term is wrong, and why.
//!
//! A program in the kernel and the daemon evaluate the same [`Filter`]: the program over the row
//! that it is about to write, the daemon over the record that arrived.
//!
//! [`Schema`]: crate::row::Schema

mod compile;
mod fault;
mod filter;
mod literals;
mod operand;
mod parse;
mod question;
mod similar;
mod terms;
mod units;
mod write;

#[cfg(test)]
mod tests;

pub use fault::{Fault, Wrong};
pub use filter::{Clause, Filter, Place, Probe, Test};
pub use question::{Question, Shown, Top};
pub use terms::{Columns, Condition, Largest, Query, Written};

/// The byte between the name of a table and the terms.
pub const ASKS: u8 = b'@';
