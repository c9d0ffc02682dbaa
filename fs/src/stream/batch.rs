//! Reads parts of a pass, a batch of records at a time.

use crate::error::{Failure, Result};
use crate::quota::{Account, Charge};
use iterfs_bpf::record::Records;
use iterfs_bpf::schema::Schema;
use iterfs_bpf::{Progress, Source};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The iterator's own buffer (kernel/bpf/bpf_iter.c): more does not come at once.
const KERNEL_BUFFER: usize = 32 * 1024;

/// What comes at once and is less is of the last rows, mostly: their end is asked for
/// with them, so that nobody is woken to find it.
const ALMOST: usize = KERNEL_BUFFER / 2;

/// Bytes of a batch at most: as text, mostly what cat asks for at once.
pub(crate) const BATCH: usize = 3 * KERNEL_BUFFER;

/// Where a batch stands in its file: the batches of a part follow one another, and so
/// do the parts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) batch: usize,
}

impl Place {
    /// The first of a file.
    pub(super) const FIRST: Place = Place { part: 0, batch: 0 };

    /// The one after it in its part.
    pub(super) fn next(self) -> Place {
        Place {
            batch: self.batch + 1,
            ..self
        }
    }

    /// The first after its part.
    pub(super) fn next_part(self) -> Place {
        Place {
            part: self.part + 1,
            batch: 0,
        }
    }
}

/// Whole records, or text that a program printed.
pub(super) struct Batch {
    pub(super) place: Place,
    memory: Vec<u8>,
    filled: usize,
    /// How its part ended, if it is the last of it.
    pub(super) end: Option<Result<()>>,
    charge: Option<Charge>,
}

impl Batch {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    /// Charges its memory to an account, for as long as it waits to be made.
    pub(super) fn charge_to(&mut self, account: &Arc<Account>) {
        self.charge = Some(account.keep(self.memory.capacity()));
    }

    /// Its memory, for another batch.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.memory
    }
}

/// A part of a pass that is being walked.
pub(super) struct Part {
    /// Of its next batch.
    pub(super) place: Place,
    source: Box<dyn Source>,
    /// The beginning of a record of which the rest has not come.
    torn: Vec<u8>,
}

impl Part {
    /// A part that nobody has begun.
    pub(super) fn new(number: usize, source: Box<dyn Source>) -> Part {
        Part {
            place: Place {
                part: number,
                batch: 0,
            },
            source,
            torn: Vec::new(),
        }
    }

    /// Reads its next batch into some memory: until there are `enough` bytes or no more
    /// room, or less where many objects give no row. `steps` counts those of the source. Of a
    /// program that prints text there
    /// is no schema. Should a source ever make us panic, that is the end.
    pub(super) fn read(
        &mut self,
        schema: Option<&Schema>,
        mut memory: Vec<u8>,
        enough: usize,
        steps: &AtomicU64,
    ) -> Batch {
        // A long row comes at once, where its source has it whole.
        let at_once = KERNEL_BUFFER.max(schema.map_or(0, |schema| schema.fixed_size));
        let least = (self.torn.len() + at_once).max(BATCH.min(KERNEL_BUFFER + enough.max(ALMOST)));
        if memory.len() < least {
            memory.resize(least, 0);
        }
        memory[..self.torn.len()].copy_from_slice(&self.torn);
        let mut filled = self.torn.len();
        self.torn.clear();
        let end_of_room = memory.len() - at_once;
        let mut end = catch_unwind(AssertUnwindSafe(|| {
            self.fill(
                &mut memory,
                &mut filled,
                enough.max(ALMOST).min(end_of_room),
                steps,
            )
        }))
        .unwrap_or(Some(Err(Failure::Broken)));

        let whole = schema.map_or(filled, |schema| Records::whole(schema, &memory[..filled]));
        if whole < filled {
            match end {
                Some(Ok(())) => end = Some(Err(Failure::Torn)),
                _ => self.torn.extend_from_slice(&memory[whole..filled]),
            }
        }
        let place = self.place;
        self.place = place.next();
        Batch {
            place,
            memory,
            filled: whole,
            end,
            charge: None,
        }
    }

    /// Fills memory from where it is filled, until more is than `enough`.
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
