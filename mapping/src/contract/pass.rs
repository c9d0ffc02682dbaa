//! One pass over a table: its schema, and the bytes of its records.

use crate::error::{Error, Result};
use crate::query::{Filter, Query, Question};
use crate::row::Schema;
use std::sync::Arc;

/// One pass over a table.
pub struct Pass {
    /// The shape of its records, with the columns to show; none if its program prints text
    /// itself.
    pub schema: Option<Arc<Schema>>,
    /// The source of all records, or of the first part of them.
    pub source: Box<dyn Source>,
    /// The other parts of a large pass, in order. They may be read concurrently.
    pub rest: Vec<Box<dyn Source>>,
    /// Whether a step may block on a process that the pass walks, for as long as that process
    /// likes: on the lock of its memory map, or on a page of its memory.
    pub waits_for_processes: bool,
    /// The question that the pass answers, if a name asks one.
    pub asked: Option<Box<Asked>>,
}

/// A question, and who evaluates which conditions of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The question. Whoever reads the pass still has to take its top or first rows.
    pub question: Question,
    /// The conditions that the program evaluates: the pass has no other rows.
    pub in_kernel: Filter,
    /// The conditions that whoever reads the pass has to evaluate.
    pub in_daemon: Filter,
    /// The process to which the kernel's walk is narrowed, as the reader numbers it.
    pub walked: Option<u32>,
    /// Whether the program makes only the columns that the question needs, and not all those
    /// that are shown by default.
    pub makes_only_needed: bool,
}

impl Pass {
    /// The pass as an answer to a query, of which the kernel evaluates nothing; without one,
    /// the pass with its default columns.
    ///
    /// # Errors
    /// [`Error::Question`] if the query does not fit the schema, or the program prints text
    /// itself.
    pub fn answering(mut self, query: Option<&Query>) -> Result<Pass> {
        let Some(schema) = &self.schema else {
            return match query {
                Some(_) => Err(Error::PrintsText),
                None => Ok(self),
            };
        };
        match query {
            None if schema.columns.iter().all(|column| !column.on_request) => {}
            None => self.schema = Some(Arc::new(schema.by_default())),
            Some(query) => {
                let question = Question::of(query, schema).map_err(Error::Question)?;
                self.schema = Some(Arc::clone(&question.schema));
                self.asked = Some(Box::new(Asked {
                    in_daemon: question.filter.clone(),
                    in_kernel: Filter::default(),
                    walked: None,
                    makes_only_needed: false,
                    question,
                }));
            }
        }
        Ok(self)
    }
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
