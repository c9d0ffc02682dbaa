//! A pass over what the processes of one pid namespace hold, one after the other.
//!
//! A container is small and its host may be large: a walk that is narrowed to each
//! of its processes in turn visits these alone. The rows and the order of the
//! processes are those of a walk over the whole host.

use crate::pass::iterator::Iterator;
use crate::pass::iterators::Iterators;
use iterfs_mapping::Narrowing;
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::error::{Error, Result};
use std::vec::IntoIter;

/// Processes passed over in one step, which takes a bounded time.
const PROCESSES_A_STEP: usize = 64;

/// The processes that are still to come, and where the walk is.
pub(crate) struct ProcessChain {
    iterators: Box<dyn Iterators>,
    /// By their numbers in this process's pid namespace.
    processes: IntoIter<u32>,
    at: Option<Iterator>,
    /// What ended the pass, once the rows before it were handed out.
    failed: Option<Error>,
}

impl ProcessChain {
    /// A walk over these processes, as the whole one visits them.
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
            // Of one that is gone by now the walk is empty.
            let Some(process) = self.processes.next() else {
                return Ok(None);
            };
            self.at = Some(self.iterators.narrowed(Narrowing::Process(process))?);
        }
        Ok(self.at.as_mut())
    }

    /// Fills the buffer as far as one step goes; says whether the pass is over.
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
