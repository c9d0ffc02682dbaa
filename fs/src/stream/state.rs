//! The reads of a stream, answered from its window.

use super::partition::Partition;
use super::piece::Piece;
use super::pipeline::{Pipeline, WorkItem};
use super::repeat::{OpenAgain, Schedule};
use super::window::{self, Found, Window};
use crate::access::memory::MOST_AHEAD;
use crate::access::quota::Member;
use crate::answer::Answer;
use crate::error::Failure;
use crate::scheduler::{Alarm, Scheduler};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A stream produces as many bytes ahead of its reader as were read so far, within this and
/// [`MOST_AHEAD`]. So a stream whose reader stops after the first rows keeps little.
const LEAST_AHEAD: u64 = 32 * 1024;

/// The part of a stream behind its lock.
pub(super) struct State {
    pub(super) window: Window,
    pub(super) pipeline: Pipeline,
    /// Reads that wait for bytes.
    waiting: Vec<Read>,
    /// The offset of the last read.
    last: Option<u64>,
    /// Its place among the readers of its account, from the first read on.
    member: Option<Member>,
    /// Whether its reader gave up waiting and has not come back. Then it produces nothing.
    abandoned: bool,
    closed: bool,
    /// The passes that follow the first, if any do.
    pub(super) schedule: Option<Schedule>,
    /// Wakes those who poll for bytes.
    poller: Option<Wake>,
}

/// Wakes those who poll.
pub(crate) type Wake = Box<dyn FnOnce() + Send>;

/// A read that waits for its answer.
pub(super) struct Read {
    pub(super) offset: u64,
    pub(super) size: usize,
    pub(super) asked: Instant,
    pub(super) answer: Box<dyn Answer>,
}

/// The answer to a read.
pub(super) enum Outcome {
    Bytes(Piece),
    End,
    Failed(Failure),
}

impl Outcome {
    pub(super) fn send(self, read: Read) {
        read.answer.send(match &self {
            Outcome::Bytes(piece) => Ok(piece.as_slice()),
            Outcome::End => Ok(&[]),
            Outcome::Failed(failure) => Err(failure.clone()),
        });
    }
}

/// Everything that a closed stream gives up.
pub(super) struct Closed {
    partitions: Vec<Partition>,
    chunks: Vec<window::Chunk>,
    member: Option<Member>,
    poller: Option<Wake>,
    alarm: Option<(Arc<Scheduler>, Alarm)>,
}

impl Closed {
    /// Drops it. This may make system calls, so no lock may be held.
    pub(super) fn drop(self) {
        if let Some((scheduler, alarm)) = self.alarm {
            scheduler.timer().cancel(alarm);
        }
        drop((self.partitions, self.chunks, self.member));
        // The kernel wakes those who poll a file that is closed.
        drop(self.poller);
    }
}

impl State {
    pub(super) fn new(window: Window, pipeline: Pipeline, schedule: Option<Schedule>) -> State {
        State {
            window,
            pipeline,
            waiting: Vec::new(),
            last: None,
            member: None,
            abandoned: false,
            closed: false,
            schedule,
            poller: None,
        }
    }

    pub(super) fn last_offset(&self) -> Option<u64> {
        self.last
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes a read. Returns it with its outcome if it need not wait. `join` makes the
    /// stream a reader of its account.
    pub(super) fn begin_read(
        &mut self,
        read: Read,
        join: impl FnOnce() -> Member,
    ) -> Option<(Read, Outcome)> {
        self.abandoned = false;
        self.last = Some(read.offset);
        self.member.get_or_insert_with(join);
        self.answer_or_wait(read, false)
    }

    /// Takes out the waiting reads that have an outcome. `stalled` says that the pass goes
    /// through many objects without a row.
    pub(super) fn answered(&mut self, stalled: bool) -> Vec<(Read, Outcome)> {
        let mut waiting = std::mem::take(&mut self.waiting);
        // In order: the first reads want bytes that later ones let the window forget.
        waiting.sort_by_key(|read| read.offset);
        let answered = waiting.into_iter();
        let answered = answered
            .filter_map(|read| self.answer_or_wait(read, stalled))
            .collect();
        self.keep_for_waiting();
        answered
    }

    /// Gives up the stream's place among the readers of its account. Returns the reads that
    /// wait, to be refused.
    pub(super) fn refuse(&mut self) -> Vec<Read> {
        self.member = None;
        std::mem::take(&mut self.waiting)
    }

    pub(super) fn has_waiting_reads(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes out the reads that have waited at least this long.
    pub(super) fn take_late(&mut self, waited: Duration) -> Vec<Read> {
        self.waiting
            .extract_if(.., |read| read.asked.elapsed() >= waited)
            .collect()
    }

    /// Takes out the reads whose caller has given up. If no other read waits, the stream
    /// rests until the next.
    pub(super) fn forget_abandoned(&mut self) -> Vec<Read> {
        let before = self.waiting.len();
        let abandoned: Vec<_> = (self.waiting)
            .extract_if(.., |read| read.answer.is_abandoned())
            .collect();
        self.abandoned |= !abandoned.is_empty() && abandoned.len() == before;
        abandoned
    }

    /// Takes out the work that has nobody and should be done.
    pub(super) fn wanted(&mut self) -> Vec<WorkItem> {
        let mut wanted = Vec::new();
        let ahead = self.window.share().ahead;
        while let more = self.wants_more(ahead)
            && let Some(item) = self.pipeline.take(more, ahead)
        {
            wanted.push(item);
        }
        wanted
    }

    /// Whether more rows should be read. At most `most` bytes may be produced before anybody
    /// asks for them.
    pub(super) fn wants_more(&self, most: u64) -> bool {
        let in_flight = self.pipeline.in_flight();
        let ahead = self.window.ahead() + self.pipeline.backlog() + in_flight;
        let position = self.window.position();
        let enough = position.clamp(LEAST_AHEAD, MOST_AHEAD).min(most);
        !self.closed && !self.abandoned && (in_flight < self.missing() || ahead < enough)
    }

    /// The number of bytes that a read waits for and that do not exist yet.
    pub(super) fn missing(&self) -> u64 {
        let ends = self.waiting.iter();
        let end = ends.map(|read| read.offset.saturating_add(read.size as u64));
        end.max().unwrap_or(0).saturating_sub(self.window.end())
    }

    /// Whether a read has something to return now: bytes, or how the file ended.
    fn is_readable(&self) -> bool {
        self.window.ahead() > 0 || self.pipeline.end().is_some()
    }

    /// Notes that somebody polls, unless a read has something to return now: then returns
    /// true. `join` makes the stream a reader of its account.
    pub(super) fn poll(&mut self, wake: Option<Wake>, join: impl FnOnce() -> Member) -> bool {
        if self.schedule.is_none() || self.is_readable() {
            return true;
        }
        if let Some(wake) = wake {
            self.abandoned = false;
            self.member.get_or_insert_with(join);
            self.poller = Some(wake);
        }
        false
    }

    /// Takes out what wakes those who poll, if there is news: a pass without rows is, because
    /// only those who poll again still wait.
    pub(super) fn take_poller(&mut self) -> Option<Wake> {
        let has_news = self.is_readable() || self.pipeline.rests();
        self.poller.take_if(|_| has_news)
    }

    /// The alarm for the beginning of the next pass, to be set without the lock, if somebody
    /// waits for it and it is not set.
    pub(super) fn next_pass(&mut self) -> Option<Alarm> {
        let schedule = self.schedule.as_mut()?;
        let is_waited_for = !self.waiting.is_empty() || self.poller.is_some();
        let is_set = schedule.alarm.is_some() || schedule.opens;
        let is_due = self.pipeline.rests() && self.pipeline.end().is_none() && !self.closed;
        if is_due && is_waited_for && !is_set {
            schedule.alarm = Some(Alarm::new(schedule.next_after(Instant::now())));
            return schedule.alarm;
        }
        None
    }

    /// Notes that the time for the next pass has come. Returns what opens it, if somebody
    /// still waits for it.
    pub(super) fn begin_pass(&mut self) -> Option<Arc<OpenAgain>> {
        let is_waited_for = !self.waiting.is_empty() || self.poller.is_some();
        let schedule = self.schedule.as_mut()?;
        schedule.alarm = None;
        if self.closed || !is_waited_for || self.pipeline.end().is_some() {
            return None;
        }
        schedule.opens = true;
        // Readers waited for the time, not for the kernel.
        let now = Instant::now();
        self.waiting.iter_mut().for_each(|read| read.asked = now);
        Some(Arc::clone(&schedule.open))
    }

    /// Gives up whatever exceeds the stream's share of memory.
    pub(super) fn trim(&mut self) -> Vec<window::Chunk> {
        self.window.trim()
    }

    /// Ends the pass. Returns what should be dropped without the lock.
    pub(super) fn close(&mut self) -> Closed {
        self.closed = true;
        let partitions = self.pipeline.close();
        let alarm = self.schedule.as_mut().and_then(|schedule| {
            let alarm = schedule.alarm.take()?;
            Some((Arc::clone(&schedule.scheduler), alarm))
        });
        let poller = self.poller.take();
        Closed {
            partitions,
            chunks: self.window.clear(),
            member: self.member.take(),
            poller,
            alarm,
        }
    }

    /// The outcome of a read, if it has one yet.
    ///
    /// Some programs take a short read for the end of a file. So a read is short only at the
    /// end of a pass, or if it waits while many objects have no row.
    fn outcome(&mut self, offset: u64, size: usize, stalled: bool) -> Option<Outcome> {
        let partial = stalled || self.pipeline.end().is_some() || self.pipeline.rests();
        match self.window.find(offset, size, partial) {
            Found::Bytes(piece) => Some(Outcome::Bytes(piece)),
            Found::TooFarBack => Some(Outcome::Failed(Failure::TooFarBack)),
            Found::NotYet => match self.pipeline.end() {
                Some(Ok(())) => Some(Outcome::End),
                Some(Err(failure)) => Some(Outcome::Failed(failure.clone())),
                None => None,
            },
        }
    }

    /// Returns a read with its outcome, or lets it wait.
    fn answer_or_wait(&mut self, read: Read, stalled: bool) -> Option<(Read, Outcome)> {
        match self.outcome(read.offset, read.size, stalled) {
            Some(outcome) => Some((read, outcome)),
            None => {
                self.waiting.push(read);
                self.keep_for_waiting();
                None
            }
        }
    }

    fn keep_for_waiting(&mut self) {
        let first = self.waiting.iter().map(|read| read.offset).min();
        self.window.keep_from(first);
    }
}
