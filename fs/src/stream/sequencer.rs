//! Puts the chunks of a file into order.

use super::encoder::Chunk;
use super::window::Window;
use crate::access::quota::Charge;
use crate::error::{Failure, Result};
use crate::format::Framing;
use std::collections::BTreeMap;

/// The place of a batch, and of the chunk that it becomes, in its file: the partitions
/// follow one another, and so do the batches of a partition.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct SequenceNumber {
    partition: usize,
    batch: usize,
}

impl SequenceNumber {
    /// The number of the first batch in a partition.
    pub(super) fn of_partition(partition: usize) -> SequenceNumber {
        SequenceNumber {
            partition,
            batch: 0,
        }
    }

    /// Which partition it is in.
    pub(super) fn partition(self) -> usize {
        self.partition
    }

    /// Whether the file begins here.
    pub(super) fn is_first(self) -> bool {
        self == SequenceNumber::default()
    }

    /// The next number in the same partition.
    pub(super) fn next(self) -> SequenceNumber {
        SequenceNumber {
            batch: self.batch + 1,
            ..self
        }
    }
}

/// Passes chunks on to the window, each once all chunks before it are there.
pub(super) struct Sequencer {
    /// The chunk that goes out next.
    next: SequenceNumber,
    /// The number of partitions.
    partitions: usize,
    /// Chunks that were encoded before their turn.
    backlog: BTreeMap<SequenceNumber, (Chunk, Charge)>,
    backlog_bytes: usize,
    /// Whether a row has gone out.
    any_rows: bool,
    /// Whether another pass follows the last partition.
    repeats: bool,
    /// Whether the last partition is over, and another pass follows.
    rests: bool,
    end: Option<Result<()>>,
}

impl Sequencer {
    pub(super) fn new(partitions: usize, repeats: bool) -> Sequencer {
        Sequencer {
            next: SequenceNumber::default(),
            partitions,
            backlog: BTreeMap::new(),
            backlog_bytes: 0,
            any_rows: false,
            repeats,
            rests: false,
            end: None,
        }
    }

    /// Whether a pass is over and another one follows.
    pub(super) fn rests(&self) -> bool {
        self.rests
    }

    /// Begins another pass, of this many partitions.
    pub(super) fn begin_pass(&mut self, partitions: usize) {
        self.partitions += partitions;
        self.rests = false;
    }

    /// Bytes that wait for their turn.
    pub(super) fn backlog(&self) -> usize {
        self.backlog_bytes
    }

    /// How the file ended, once the last byte of it has gone out.
    pub(super) fn end(&self) -> Option<&Result<()>> {
        self.end.as_ref()
    }

    /// Passes on a chunk and those that waited for it, or puts it into the backlog. Returns
    /// whether the pass has stalled: the last chunk to go out is of objects without a row.
    pub(super) fn accept(&mut self, chunk: Chunk, window: &mut Window, framing: &Framing) -> bool {
        if self.end.is_some() {
            return false;
        }
        if self.next != chunk.number {
            self.backlog_bytes += chunk.bytes.len();
            let charge = window.charge(chunk.bytes.capacity());
            self.backlog.insert(chunk.number, (chunk, charge));
            return false;
        }
        let mut stalled = self.pass_on(chunk, window, framing);
        while self.end.is_none()
            && let Some((chunk, charge)) = self.backlog.remove(&self.next)
        {
            self.backlog_bytes -= chunk.bytes.len();
            drop(charge);
            stalled = self.pass_on(chunk, window, framing);
        }
        if let Some(end) = &self.end {
            if end.is_ok() {
                window.push(framing.tail(self.any_rows).to_vec());
            }
            // Nobody gets to see rows behind a failure.
            self.backlog.clear();
        }
        stalled
    }

    /// Passes on the next chunk. Returns whether it stalls the pass: a chunk without a row
    /// does, unless it merely ends its partition.
    fn pass_on(&mut self, mut chunk: Chunk, window: &mut Window, framing: &Framing) -> bool {
        if chunk.rows > 0 && !self.any_rows {
            self.any_rows = true;
            // A later chunk was encoded while nobody knew that the chunks before it would
            // have no rows.
            if !chunk.number.is_first() {
                framing.make_first(&mut chunk.bytes);
            }
        }
        let stalls = chunk.bytes.is_empty() && chunk.end.is_none();
        window.push(chunk.bytes);
        match chunk.end {
            None => self.next = self.next.next(),
            Some(Ok(())) => {
                let next = self.next.partition + 1;
                self.next = SequenceNumber::of_partition(next);
                match next == self.partitions {
                    true if self.repeats => self.rests = true,
                    true => self.end = Some(Ok(())),
                    false => {}
                }
            }
            Some(Err(failure)) => self.end = Some(Err(failure)),
        }
        stalls
    }

    /// Ends the file here with a failure.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.end = Some(Err(failure));
        self.backlog.clear();
    }

    /// Ends the file here.
    pub(super) fn close(&mut self) {
        self.end = Some(Ok(()));
        self.backlog.clear();
    }
}
