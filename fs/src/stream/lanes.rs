//! Who does what next in the making of one file by several threads at once.
//!
//! A lane that reads a part of a pass goes on reading it, and others make what it has
//! read into chunks: what a processor has in its cache is dear to another, and a walk
//! through the kernel's tables suffers most. Where no other lane is free, who reads
//! makes chunks, too. A very large pass comes in several parts, which are read side by
//! side. Chunks go out in [`order`](super::order).

use super::batch::{BATCH, Batch, Part};
use super::maker::{Chunk, Maker, Recipe};
use super::order::Order;
use super::parts::Parts;
use super::window::Window;
use crate::error::Failure;
use iterfs_bpf::Source;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes made before their turn, above which the part whose turn it is alone is read.
const BEHIND_ORDER: u64 = 1024 * 1024;

/// Batches that may wait to be made before who reads makes one.
const MAX_READ: usize = 2;

/// A thread's share in a pass.
pub(super) struct Lane {
    pub(super) maker: Maker,
    pub(super) turn: Turn,
}

/// What it does next.
pub(super) enum Turn {
    /// Reads a batch of a part.
    Read(Part),
    /// Makes one into a chunk.
    Make(Batch),
}

/// The lanes of one pass. Threads take them out to work.
pub(super) struct Lanes {
    parts: Parts,
    order: Order,
    recipe: Arc<Recipe>,
    /// Of lanes that rest; more are made when they are first needed.
    resting: Vec<Maker>,
    unmade: usize,
    /// Batches that wait to be made.
    read: VecDeque<Batch>,
    /// Batches that are being read, wait or are being made.
    at_work: usize,
}

impl Lanes {
    /// That many lanes for a pass with these parts.
    pub(super) fn new(
        sources: impl ExactSizeIterator<Item = Box<dyn Source>>,
        recipe: Recipe,
        lanes: usize,
    ) -> Lanes {
        Lanes {
            order: Order::new(sources.len()),
            parts: Parts::new(sources),
            recipe: Arc::new(recipe),
            resting: Vec::new(),
            unmade: lanes,
            read: VecDeque::with_capacity(MAX_READ + 1),
            at_work: 0,
        }
    }

    /// How the pass ended, once it has.
    pub(super) fn end(&self) -> Option<&Result<(), Failure>> {
        self.order.end()
    }

    /// About as many bytes as are being read or made.
    pub(super) fn at_work(&self) -> u64 {
        (self.at_work * BATCH) as u64
    }

    /// Bytes that wait for their turn.
    pub(super) fn behind(&self) -> u64 {
        self.order.behind() as u64
    }

    /// A lane that rested, with something to do if there is anything; `more` says
    /// whether the reader wants what was not read yet, and `ahead` how many bytes may be
    /// made before somebody asks for them.
    pub(super) fn next(&mut self, more: bool, ahead: u64) -> Option<Lane> {
        if self.end().is_some() || self.resting.is_empty() && self.unmade == 0 {
            return None;
        }
        let turn = match self.read.pop_front() {
            Some(batch) => Turn::Make(batch),
            None if more => {
                let part = self.parts.take(self.behind() >= BEHIND_ORDER.min(ahead))?;
                self.at_work += 1;
                Turn::Read(part)
            }
            None => return None,
        };
        let maker = self.resting.pop().or_else(|| {
            self.unmade = self.unmade.checked_sub(1)?;
            Some(Maker::new(Arc::clone(&self.recipe)))
        })?;
        Some(Lane { maker, turn })
    }

    /// Lets a lane rest that has not read. Gives back what can be closed.
    pub(super) fn rest(&mut self, maker: Maker, part: Part) -> Option<Part> {
        self.at_work -= 1;
        self.resting.push(maker);
        self.parts.put_back(part, false)
    }

    /// Takes a batch that a lane has read, and says what this lane does next: it goes
    /// on reading if it may, until too much waits to be made. Gives back what can be
    /// closed.
    pub(super) fn read(
        &mut self,
        maker: Maker,
        part: Part,
        batch: Batch,
        goes_on: bool,
    ) -> (Option<Lane>, Option<Part>) {
        if self.end().is_some() {
            return (None, Some(part));
        }
        let is_over = batch.end.is_some();
        self.read.push_back(batch);
        if goes_on && !is_over && self.read.len() <= MAX_READ {
            self.at_work += 1;
            let turn = Turn::Read(part);
            return (Some(Lane { maker, turn }), None);
        }
        let finished = self.parts.put_back(part, is_over);
        let lane = self.read.pop_front().map(|batch| Lane {
            maker,
            turn: Turn::Make(batch),
        });
        (lane, finished)
    }

    /// Takes what a lane has made; the lane rests. Says whether the pass has stalled.
    pub(super) fn made(&mut self, maker: Maker, chunk: Chunk, window: &mut Window) -> bool {
        self.at_work -= 1;
        let stalled = self.order.take(chunk, window, maker.framing());
        self.resting.push(maker);
        stalled
    }

    /// Ends the pass: what rests is given up.
    pub(super) fn close(&mut self) -> Vec<Part> {
        self.order.close();
        self.read.clear();
        self.parts.close()
    }
}
