//! A pass over the objects of the processes in one pid namespace, one process after another.
//!
//! A container may be small and its host large. Walks that are narrowed to each process of the
//! container visit no others. The rows, and the order of the processes, are those of a walk
//! over the whole host.

use crate::pass::iterator::Iterator;
use crate::pass::iterators::Iterators;
use iterfs_mapping::Narrowing;
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::error::{Error, Result};
use std::vec::IntoIter;

/// The most processes that one step visits, so that it takes a bounded time.
const PROCESSES_A_STEP: usize = 64;

/// The processes that are left, and the current walk.
pub(crate) struct ProcessChain {
    iterators: Box<dyn Iterators>,
    /// The processes' ids in this process's pid namespace.
    processes: IntoIter<u32>,
    at: Option<Iterator>,
    /// The error that ended the pass. It is returned after the rows before it.
    failed: Option<Error>,
}

impl ProcessChain {
    /// A pass over these processes, in the order of a whole walk.
    pub(crate) fn new(iterators: Box<dyn Iterators>, processes: Vec<u32>) -> ProcessChain {
        ProcessChain {
            iterators,
            processes: processes.into_iter(),
            at: None,
            failed: None,
        }
    }

    fn next(&mut self) -> Result<Option<&mut Iterator>> {
        if self.at.is_none() {
            // The walk of a process that is gone is empty.
            let Some(process) = self.processes.next() else {
                return Ok(None);
            };
            self.at = Some(self.iterators.narrowed(Narrowing::Process(process))?);
        }
        Ok(self.at.as_mut())
    }

    /// Fills the buffer with the rows of one step; returns whether the pass is over.
    fn fill(&mut self, buffer: &mut [u8], filled: &mut usize) -> Result<bool> {
        for _ in 0..PROCESSES_A_STEP {
            let Some(iterator) = self.next()? else {
                return Ok(true);
            };
            loop {
                let room = &mut buffer[*filled..];
                if room.is_empty() {
                    return Ok(false);
                }
                match iterator.read(room)? {
                    Progress::Bytes(bytes) => *filled += bytes,
                    Progress::Nothing => return Ok(false),
                    Progress::End => break,
                }
            }
            self.at = None;
        }
        Ok(false)
    }
}

impl Source for ProcessChain {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut filled = 0;
        let outcome = self.fill(buffer, &mut filled);
        match outcome {
            Err(error) if filled == 0 => Err(error),
            Err(error) => {
                self.failed = Some(error);
                Ok(Progress::Bytes(filled))
            }
            Ok(_) if filled > 0 => Ok(Progress::Bytes(filled)),
            Ok(true) => Ok(Progress::End),
            Ok(false) => Ok(Progress::Nothing),
        }
    }
}
