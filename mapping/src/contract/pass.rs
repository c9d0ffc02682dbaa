//! One pass over a table: its schema, and the bytes of its records.

use crate::error::Result;
use crate::row::Schema;
use std::sync::Arc;

/// One pass over a table.
pub struct Pass {
    /// The shape of its records; none if its program prints text itself.
    pub schema: Option<Arc<Schema>>,
    /// The records, or the first part of them.
    pub source: Box<dyn Source>,
    /// The other parts of a large pass, in order. They may be walked side by side.
    pub rest: Vec<Box<dyn Source>>,
    /// Whether a step may wait for a process that is walked, for as long as that process
    /// likes: for the lock of its memory map, or for a page of its memory.
    pub waits_for_processes: bool,
}

/// The bytes of a pass, or of one part of it.
pub trait Source: Send {
    /// Takes the pass one step further and fills the front of `buffer`.
    ///
    /// A step takes a bounded time, so that a reader that gives up can be obeyed between
    /// two steps.
    ///
    /// # Errors
    /// The kernel's, after which the pass is over.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress>;
}

/// The outcome of one step of a pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// This many bytes, at least one.
    Bytes(usize),
    /// No bytes yet: no object that was walked gave a row.
    Nothing,
    /// The end of the pass.
    End,
}
