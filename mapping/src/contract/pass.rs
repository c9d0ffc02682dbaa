//! One pass over a table: its schema, and the bytes of its records.

use crate::error::Result;
use crate::row::Schema;
use std::sync::Arc;

/// One pass over a table.
pub struct Pass {
    /// The shape of its records; none if its program prints text itself.
    pub schema: Option<Arc<Schema>>,
    /// The source of all records, or of the first part of them.
    pub source: Box<dyn Source>,
    /// The other parts of a large pass, in order. They may be read concurrently.
    pub rest: Vec<Box<dyn Source>>,
    /// Whether a step may block on a process that the pass walks, for as long as that process
    /// likes: on the lock of its memory map, or on a page of its memory.
    pub waits_for_processes: bool,
}

/// The bytes of a pass, or of one part of it.
pub trait Source: Send {
    /// Advances the pass by one step and fills the front of `buffer`.
    ///
    /// A step takes a bounded time, so that an interrupted reader gets its reply between two
    /// steps.
    ///
    /// # Errors The kernel's error, which ends the pass.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress>;
}

/// The outcome of one step of a pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// This many bytes were written, at least one.
    Bytes(usize),
    /// No bytes were written: no object of this step gave a row.
    Nothing,
    /// The end of the pass.
    End,
}
