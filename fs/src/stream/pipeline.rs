//! The next work of the workers of one stream.
//!
//! A batch goes through two stages: a worker reads it from a partition of the pass, and a
//! worker encodes it. Several workers do so at once, each with an [`Encoder`] of its own,
//! which is its permit to work on the stream.
//!
//! Data in the cache of one processor is expensive to another, and a walk over kernel tables
//! suffers most. So a worker that reads a partition keeps reading it, while others encode
//! its batches. If no other worker is free, the reading one encodes as well. A very large
//! pass consists of several partitions, which are read side by side. Chunks go out through a
//! [`Sequencer`].

use super::batch::{BATCH, Batch};
use super::encoder::{Chunk, Encoder, Encoding};
use super::partition::Partition;
use super::partitions::Partitions;
use super::sequencer::Sequencer;
use super::window::Window;
use crate::error::Failure;
use iterfs_mapping::contract::Source;
use std::collections::VecDeque;
use std::sync::Arc;

/// Beyond this many bytes of backlog, workers read only the front partition.
const MAX_BACKLOG: u64 = 1024 * 1024;

/// How many batches may wait to be encoded before the worker that reads encodes one.
const MAX_READ: usize = 2;

/// Work on a stream, taken out of its pipeline by a worker.
pub(super) struct WorkItem {
    pub(super) encoder: Encoder,
    pub(super) stage: Stage,
}

/// The next stage of a batch.
pub(super) enum Stage {
    /// Read it from a partition.
    Read(Partition),
    /// Encode it as a chunk.
    Encode(Batch),
}

/// The stages of one stream, and the encoders that may work on them.
pub(super) struct Pipeline {
    partitions: Partitions,
    sequencer: Sequencer,
    encoding: Arc<Encoding>,
    /// Encoders that no worker holds.
    idle: Vec<Encoder>,
    /// Encoders that were never needed so far. They are created on demand.
    uncreated: usize,
    /// Batches that wait to be encoded.
    read: VecDeque<Batch>,
    /// Batches that are being read, wait or are being encoded.
    in_flight: usize,
}

impl Pipeline {
    /// A pipeline over the partitions of a pass, for at most this many workers. `repeats` says
    /// that other passes follow.
    pub(super) fn new(
        sources: impl ExactSizeIterator<Item = Box<dyn Source>>,
        encoding: Encoding,
        workers: usize,
        repeats: bool,
    ) -> Pipeline {
        Pipeline {
            sequencer: Sequencer::new(sources.len(), repeats),
            partitions: Partitions::new(sources),
            encoding: Arc::new(encoding),
            idle: Vec::new(),
            uncreated: workers,
            read: VecDeque::with_capacity(MAX_READ + 1),
            in_flight: 0,
        }
    }

    /// How the pass ended, once it has.
    pub(super) fn end(&self) -> Option<&Result<(), Failure>> {
        self.sequencer.end()
    }

    /// Whether a pass is over and another one follows.
    pub(super) fn rests(&self) -> bool {
        self.sequencer.rests()
    }

    /// Begins another pass over these partitions.
    pub(super) fn begin_pass(&mut self, sources: impl ExactSizeIterator<Item = Box<dyn Source>>) {
        self.sequencer.begin_pass(sources.len());
        self.partitions.add(sources);
    }

    /// Ends the file with a failure.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.sequencer.fail(failure);
    }

    /// The number of bytes that are being read or encoded, roughly.
    pub(super) fn in_flight(&self) -> u64 {
        (self.in_flight * BATCH) as u64
    }

    /// Encoded bytes that wait for their turn.
    pub(super) fn backlog(&self) -> u64 {
        self.sequencer.backlog() as u64
    }

    /// Takes out work for one more worker, if there is any. `more` says whether the reader
    /// wants rows that were not read yet, and `ahead` how many bytes may be produced before
    /// anybody asks for them.
    pub(super) fn take(&mut self, more: bool, ahead: u64) -> Option<WorkItem> {
        if self.end().is_some() || self.idle.is_empty() && self.uncreated == 0 {
            return None;
        }
        let stage = match self.read.pop_front() {
            Some(batch) => Stage::Encode(batch),
            None if more => {
                let front_only = self.backlog() >= MAX_BACKLOG.min(ahead);
                let partition = self.partitions.take(front_only)?;
                self.in_flight += 1;
                Stage::Read(partition)
            }
            None => return None,
        };
        let encoder = self.idle.pop().or_else(|| {
            self.uncreated = self.uncreated.checked_sub(1)?;
            Some(Encoder::new(Arc::clone(&self.encoding)))
        })?;
        Some(WorkItem { encoder, stage })
    }

    /// Puts work back that was to read and has not. Returns the partition if the pass is
    /// over, to be closed.
    pub(super) fn put_back(&mut self, encoder: Encoder, partition: Partition) -> Option<Partition> {
        self.in_flight -= 1;
        self.idle.push(encoder);
        self.partitions.put_back(partition, false)
    }

    /// Accepts a batch that a worker has read. Returns what the worker does next, and the
    /// partition if it is over, to be closed. With `read_on` the worker keeps reading until
    /// too many batches wait to be encoded.
    pub(super) fn accept_batch(
        &mut self,
        encoder: Encoder,
        partition: Partition,
        batch: Batch,
        read_on: bool,
    ) -> (Option<WorkItem>, Option<Partition>) {
        if self.end().is_some() {
            return (None, Some(partition));
        }
        let is_over = batch.end.is_some();
        self.read.push_back(batch);
        if read_on && !is_over && self.read.len() <= MAX_READ {
            self.in_flight += 1;
            let stage = Stage::Read(partition);
            return (Some(WorkItem { encoder, stage }), None);
        }
        let finished = self.partitions.put_back(partition, is_over);
        let next = self.read.pop_front().map(|batch| WorkItem {
            encoder,
            stage: Stage::Encode(batch),
        });
        (next, finished)
    }

    /// Accepts a chunk that a worker has encoded, and its encoder. Returns whether the pass
    /// has stalled, as [`Sequencer::accept`] does.
    pub(super) fn accept_chunk(
        &mut self,
        encoder: Encoder,
        chunk: Chunk,
        window: &mut Window,
    ) -> bool {
        self.in_flight -= 1;
        let stalled = self.sequencer.accept(chunk, window, encoder.framing());
        self.idle.push(encoder);
        stalled
    }

    /// Ends the pass. Returns the partitions that nobody reads, to be closed.
    pub(super) fn close(&mut self) -> Vec<Partition> {
        self.sequencer.close();
        self.read.clear();
        self.partitions.close()
    }
}
