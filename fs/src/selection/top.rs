//! The rows of a pass with the largest values of a column.

use super::STEP;
use super::output::Output;
use super::rank::Rank;
use super::walk::Walk;
use crate::access::quota::{Account, Charge};
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::row::Record;
use iterfs_mapping::{Error, Result, query};
use parking_lot::Mutex;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Instant;
use std::vec;

/// A part of a pass. The part that ends last yields the rows of all.
pub(super) struct Top {
    /// `None` once the part is over.
    walk: Option<Walk>,
    /// The number of the part, and of the records that it had so far.
    next: Place,
    ranking: Arc<Ranking>,
    /// The rows to yield, best first, if this part ended last.
    rows: vec::IntoIter<Row>,
    /// Yielded after them, so that the reader of the pass finds out that a record has no end.
    torn: Vec<u8>,
    output: Output,
}

/// The place of a row in its pass.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    part: usize,
    index: u64,
}

/// The best rows so far.
struct Ranking {
    top: query::Top,
    /// Locked once for each step of a part, never across a system call.
    best: Mutex<Best>,
}

struct Best {
    /// The worst of the rows is on top.
    rows: BinaryHeap<Row>,
    /// The number of bytes that the rows take.
    bytes: usize,
    charge: Charge,
    /// The number of parts that are not over.
    parts: usize,
    /// The beginning of the first record whose end never arrived.
    torn: Vec<u8>,
}

/// A row. Of two rows, the one that is shown first is less.
#[derive(Debug, Eq, PartialEq)]
struct Row {
    rank: Rank,
    place: Place,
    record: Vec<u8>,
}

impl Top {
    /// The sources of a pass in these parts, as many as parts.
    pub(super) fn of_parts(
        parts: Vec<Walk>,
        top: &query::Top,
        account: &Arc<Account>,
    ) -> Vec<Box<dyn Source>> {
        let ranking = Arc::new(Ranking {
            top: top.clone(),
            best: Mutex::new(Best {
                rows: BinaryHeap::new(),
                bytes: 0,
                charge: account.keep(0),
                parts: parts.len(),
                torn: Vec::new(),
            }),
        });
        let parts = parts.into_iter().enumerate().map(|(part, walk)| {
            Box::new(Top {
                walk: Some(walk),
                next: Place { part, index: 0 },
                ranking: Arc::clone(&ranking),
                rows: Vec::new().into_iter(),
                torn: Vec::new(),
                output: Output::default(),
            }) as Box<dyn Source>
        });
        parts.collect()
    }

    /// Makes a step of the walk, and keeps the best of its rows.
    fn step(&mut self) -> Result<Progress> {
        let Some(walk) = &mut self.walk else {
            return Ok(Progress::End);
        };
        let mut best = None;
        let progress = walk.step(u64::MAX, |record| {
            // Lock once for the whole step, after its records have arrived.
            let best = best.get_or_insert_with(|| self.ranking.best.lock());
            best.offer(&self.ranking.top, self.next, record);
            self.next.index += 1;
            true
        })?;
        if let Some(mut best) = best {
            let bytes = best.bytes;
            if !best.charge.resize(bytes) {
                return Err(Error::TooManyRows);
            }
        }
        Ok(progress)
    }

    /// Ends the part. The last one takes the rows of all.
    fn end(&mut self) {
        let walk = self.walk.take();
        let mut best = self.ranking.best.lock();
        if let Some(walk) = &walk
            && best.torn.is_empty()
        {
            best.torn = walk.torn().into();
        }
        best.parts -= 1;
        let rows = (best.parts == 0).then(|| {
            self.torn = std::mem::take(&mut best.torn);
            std::mem::take(&mut best.rows)
        });
        drop(best);
        // Closing an iterator is a system call: unlock first.
        drop(walk);
        if let Some(rows) = rows {
            self.rows = rows.into_sorted_vec().into_iter();
        }
    }

    /// Yields selected rows, as many as there is room for.
    fn yield_rows(&mut self, buffer: &mut [u8]) -> Progress {
        let mut filled = 0;
        while filled < buffer.len() {
            filled += self.output.read(&mut buffer[filled..]);
            if self.output.is_empty() {
                match self.rows.next() {
                    Some(row) => self.output.push(&row.record),
                    None if self.torn.is_empty() => break,
                    None => self.output.push(&std::mem::take(&mut self.torn)),
                }
            }
        }
        match filled {
            0 => Progress::End,
            filled => Progress::Bytes(filled),
        }
    }
}

impl Source for Top {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        let begun = Instant::now();
        while self.walk.is_some() {
            match self.step()? {
                Progress::End => self.end(),
                Progress::Nothing => return Ok(Progress::Nothing),
                Progress::Bytes(_) if begun.elapsed() >= STEP => return Ok(Progress::Nothing),
                Progress::Bytes(_) => {}
            }
        }
        Ok(self.yield_rows(buffer))
    }
}

impl Best {
    /// Keeps a record if it is among the best so far.
    #[inline]
    fn offer(&mut self, top: &query::Top, place: Place, record: Record<'_>) {
        let rank = Rank::of(record, top);
        let mut row = Row {
            rank,
            place,
            record: Vec::new(),
        };
        if self.rows.len() < top.count as usize {
            row.fill(record);
            self.bytes += row.size();
            self.rows.push(row);
        } else if let Some(mut worst) = self.rows.peek_mut()
            && row < *worst
        {
            self.bytes -= worst.size();
            row.record = std::mem::take(&mut worst.record);
            row.fill(record);
            self.bytes += row.size();
            *worst = row;
        }
    }
}

impl Row {
    fn fill(&mut self, record: Record<'_>) {
        self.record.clear();
        self.record.extend_from_slice(record.fixed());
        self.record.extend_from_slice(record.tail());
    }

    /// The number of bytes that it takes.
    fn size(&self) -> usize {
        size_of::<Row>() + self.record.capacity()
    }
}

impl Ord for Row {
    fn cmp(&self, other: &Row) -> Ordering {
        let by_rank = other.rank.cmp(&self.rank);
        by_rank.then_with(|| self.place.cmp(&other.place))
    }
}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Row) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
