//! Batches of records, and the memory that they are read into.

use super::sequencer::SequenceNumber;
use crate::access::quota::{Account, Charge};
use crate::error::Result;
use parking_lot::Mutex;
use std::sync::Arc;

/// The size of the iterator's own buffer (kernel/bpf/bpf_iter.c): one read of the kernel
/// yields no more.
pub(super) const KERNEL_BUFFER: usize = 32 * 1024;

/// The maximum size of a batch. Encoded as text, it is about the 128 KiB that cat(1) reads
/// at a time.
pub(super) const BATCH: usize = 3 * KERNEL_BUFFER;

/// The maximum number of spare pieces of memory, for all streams together: two for each
/// worker of one busy stream.
const MAX_SPARE: usize = 8;

/// Memory for batches, used again by whichever stream comes next.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Memory to read a batch into, with whatever an earlier batch left in it.
pub(super) fn memory() -> Vec<u8> {
    SPARE.lock().pop().unwrap_or_default()
}

/// Whole records, or text that a program printed.
pub(super) struct Batch {
    pub(super) number: SequenceNumber,
    memory: Vec<u8>,
    filled: usize,
    /// How its partition ended, if this is the last batch of it.
    pub(super) end: Option<Result<()>>,
    charge: Option<Charge>,
}

impl Batch {
    /// A batch that fills the first bytes of some memory.
    pub(super) fn new(
        number: SequenceNumber,
        memory: Vec<u8>,
        filled: usize,
        end: Option<Result<()>>,
    ) -> Batch {
        Batch {
            number,
            memory,
            filled,
            end,
            charge: None,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    /// Charges its memory to an account, for as long as it waits to be encoded.
    pub(super) fn charge_to(&mut self, account: &Arc<Account>) {
        self.charge = Some(account.keep(self.memory.capacity()));
    }

    /// Gives its memory back, for another batch.
    pub(super) fn recycle(self) {
        let mut spare = SPARE.lock();
        // A pass with long rows is rare, and its memory large.
        if spare.len() < MAX_SPARE && self.memory.len() == BATCH {
            spare.push(self.memory);
        }
    }
}
