//! Reads a partition of a pass, one batch of records at a time.

use super::batch::{self, BATCH, Batch, KERNEL_BUFFER};
use super::sequencer::SequenceNumber;
use crate::error::{Failure, Result};
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::row::{Records, Schema};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// A shorter read is usually the tail, so a batch that short asks for the end as well, and
/// nobody is woken to find it.
const LEAST_BATCH: usize = KERNEL_BUFFER / 2;

/// A part of a pass that is walked by itself.
pub(super) struct Partition {
    /// The number of its next batch.
    next: SequenceNumber,
    source: Box<dyn Source>,
    /// The beginning of a record whose end has not been read yet.
    torn: Vec<u8>,
}

impl Partition {
    /// A partition that nobody has begun to read.
    pub(super) fn new(number: usize, source: Box<dyn Source>) -> Partition {
        Partition {
            next: SequenceNumber::of_partition(number),
            source,
            torn: Vec::new(),
        }
    }

    pub(super) fn number(&self) -> usize {
        self.next.partition()
    }

    /// Reads its next batch until there are `enough` bytes or no more room. The batch may be
    /// shorter where many objects have no row. `steps` counts the steps of the source, and
    /// `schema` is `None` if a program prints text itself. If a source ever makes us panic,
    /// the partition ends with an error.
    pub(super) fn read(
        &mut self,
        schema: Option<&Schema>,
        enough: usize,
        steps: &AtomicU64,
    ) -> Batch {
        let mut memory = batch::memory();
        let enough = enough.max(LEAST_BATCH);
        // A source that has a long row whole yields it in one step.
        let step = KERNEL_BUFFER.max(schema.map_or(0, |schema| schema.fixed_size));
        let least = (self.torn.len() + step).max(BATCH.min(KERNEL_BUFFER + enough));
        if memory.len() < least {
            memory.resize(least, 0);
        }
        memory[..self.torn.len()].copy_from_slice(&self.torn);
        let mut filled = self.torn.len();
        self.torn.clear();
        let enough = enough.min(memory.len() - step);
        let mut end = catch_unwind(AssertUnwindSafe(|| {
            self.fill(&mut memory, &mut filled, enough, steps)
        }))
        .unwrap_or(Some(Err(Failure::Broken)));

        let whole = schema.map_or(filled, |schema| Records::whole(schema, &memory[..filled]));
        if whole < filled {
            match end {
                Some(Ok(())) => end = Some(Err(Failure::Torn)),
                _ => self.torn.extend_from_slice(&memory[whole..filled]),
            }
        }
        let number = self.next;
        self.next = number.next();
        Batch::new(number, memory, whole, end)
    }

    /// Fills memory from `filled` on, until it holds more than `enough`.
    fn fill(
        &mut self,
        memory: &mut [u8],
        filled: &mut usize,
        enough: usize,
        steps: &AtomicU64,
    ) -> Option<Result<()>> {
        while *filled <= enough {
            let step = self.source.read(&mut memory[*filled..]);
            steps.fetch_add(1, Ordering::Relaxed);
            match step {
                Ok(Progress::Bytes(bytes)) => *filled += bytes,
                Ok(Progress::Nothing) => return None,
                Ok(Progress::End) => return Some(Ok(())),
                Err(error) => return Some(Err(error.into())),
            }
        }
        None
    }
}
