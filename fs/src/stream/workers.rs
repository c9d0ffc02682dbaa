//! Runs the work of a stream on threads.

use super::Shared;
use super::batch::Batch;
use super::encoder::Encoder;
use super::partition::Partition;
use super::pipeline::{Stage, WorkItem};
use super::repeat::OpenAgain;
use super::state::{Outcome, Read, State};
use crate::access::quota::Room;
use crate::error::Failure;
use crate::scheduler::{Alarm, InlinePermit, Scheduler, TimeSlice};
use crate::selection;
use iterfs_mapping::contract::Pass;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

/// The number of bytes of a pass that a worker reads at a time while memory is short.
const LEAST_STEP: u64 = 16 * 1024;

impl Shared {
    /// Hands work to the scheduler.
    pub(super) fn schedule(
        shared: &Arc<Shared>,
        items: impl IntoIterator<Item = WorkItem>,
        scheduler: &Arc<Scheduler>,
    ) {
        for item in items {
            shared.scheduled.store(true, Ordering::Relaxed);
            let watched: Weak<Shared> = Arc::downgrade(shared);
            let (own, runs_on) = (Arc::clone(shared), Arc::clone(scheduler));
            scheduler.run_for(shared.account.id(), shared.class, watched, move |slice| {
                Shared::work(&own, item, slice, &runs_on);
            });
        }
    }

    /// Works until enough is produced, or until others should have the thread.
    fn work(
        shared: &Arc<Shared>,
        item: WorkItem,
        slice: &TimeSlice<'_>,
        scheduler: &Arc<Scheduler>,
    ) {
        let mut item = Some(item);
        let mut has_read = false;
        while let Some(current) = item.take() {
            let reads = matches!(current.stage, Stage::Read(_));
            match reads {
                true => shared.read_cpu.reserve(),
                // This thread has just read the batch, so it is in the cache here.
                false if has_read => {}
                false => shared.read_cpu.keep_off(),
            }
            has_read = reads;
            // On a single processor no other worker would encode what this one reads.
            let read_on = scheduler.processors() > 1;
            let mut next = shared.advance(current, read_on).into_iter();
            let first = next.next();
            // A batch that was just read is encoded even if the time is over, so that it
            // does not lie about while others have their turns.
            let is_batch = |item: &WorkItem| matches!(item.stage, Stage::Encode(_));
            if !slice.is_over() || reads && first.as_ref().is_some_and(is_batch) {
                item = first;
            } else {
                Shared::schedule(shared, first, scheduler);
            }
            Shared::schedule(shared, next, scheduler);
        }
    }

    /// Works on a thread that serves requests, until it has encoded a batch.
    pub(super) fn work_inline(
        shared: &Arc<Shared>,
        item: WorkItem,
        permit: InlinePermit<'_>,
        scheduler: &Arc<Scheduler>,
    ) {
        let mut item = Some(item);
        while let Some(current) = item.take() {
            let encodes = matches!(current.stage, Stage::Encode(_));
            let mut next = shared.advance(current, false).into_iter();
            if !encodes && !permit.is_over() {
                item = next.next();
            }
            Shared::schedule(shared, next, scheduler);
        }
    }

    /// Sets the alarm for the next pass.
    pub(super) fn await_next_pass(&self, alarm: Option<Alarm>) {
        let Some(alarm) = alarm else { return };
        let state = self.state.lock();
        let schedule = state.schedule.as_ref();
        let scheduler = schedule.map(|schedule| Arc::clone(&schedule.scheduler));
        drop(state);
        let Some(scheduler) = scheduler else { return };
        let this: Weak<Shared> = Weak::clone(&self.this);
        scheduler.timer().set(alarm, this);
        // The stream may have been closed meanwhile, when the alarm was not set yet.
        if self.state.lock().is_closed() {
            scheduler.timer().cancel(alarm);
        }
    }

    /// Opens the next pass.
    pub(super) fn begin_pass(shared: &Arc<Shared>, open: &OpenAgain, scheduler: &Arc<Scheduler>) {
        let begun = SystemTime::now();
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let pass = selection::select(open()?, &shared.account);
            Ok(selection::stamp(pass, begun)?)
        }));
        let opened = opened.unwrap_or(Err(Failure::Broken));
        let mut state = shared.state.lock();
        if let Some(schedule) = &mut state.schedule {
            schedule.opens = false;
        }
        if state.is_closed() {
            drop(state);
            return;
        }
        match opened {
            Ok(Pass { source, rest, .. }) => {
                let sources: Vec<_> = std::iter::once(source).chain(rest).collect();
                state.pipeline.begin_pass(sources.into_iter());
            }
            Err(failure) => state.pipeline.fail(failure),
        }
        let answered = state.answered(false);
        let poller = state.take_poller();
        let items = state.wanted();
        drop(state);
        send(answered);
        poller.into_iter().for_each(|wake| wake());
        Shared::schedule(shared, items, scheduler);
    }

    /// Takes a batch through one stage. Returns the work that follows, of which the first is
    /// best done on this thread. With `read_on` a worker that reads keeps reading.
    pub(super) fn advance(&self, item: WorkItem, read_on: bool) -> Vec<WorkItem> {
        match item.stage {
            Stage::Read(partition) => self.read(item.encoder, partition, read_on),
            Stage::Encode(batch) => self.encode(item.encoder, batch),
        }
    }

    /// Reads a batch.
    fn read(&self, encoder: Encoder, mut partition: Partition, read_on: bool) -> Vec<WorkItem> {
        self.account.reclaim();
        let mut state = self.state.lock();
        let share = state.window.share();
        let is_first_step = state.window.end() == 0;
        let room = self.account.room(is_first_step);
        if room != Room::Enough {
            // Readers get the bytes that are there for them. A reader without any continues
            // by small steps, or is refused.
            let answered = state.answered(true);
            let refused = match room {
                Room::None => state.refuse(),
                Room::Least | Room::Enough => Vec::new(),
            };
            if !state.has_waiting_reads() {
                let closed = state.pipeline.put_back(encoder, partition);
                drop(state);
                drop(closed);
                send(answered);
                for read in refused {
                    Outcome::Failed(Failure::TooMuchKept).send(read);
                }
                return Vec::new();
            }
            drop(state);
            send(answered);
            state = self.state.lock();
        }
        // As much as is wanted, but little if the reader has read little or memory is short.
        let wanted = state.missing().max(state.window.position());
        let enough = match share.is_plenty() {
            true => wanted,
            // Encoded as text, records grow up to fourfold.
            false => wanted.min(share.ahead / 4).max(LEAST_STEP),
        };
        drop(state);

        let enough = usize::try_from(enough).unwrap_or(usize::MAX);
        let mut batch = partition.read(encoder.schema(), enough, &self.steps);
        batch.charge_to(&self.account);

        let mut state = self.state.lock();
        let share = state.window.share();
        let read_on = read_on && share.is_plenty() && state.wants_more(share.ahead);
        let (next, finished) = (state.pipeline).accept_batch(encoder, partition, batch, read_on);
        let others = state.wanted();
        drop(state);
        // Closing an iterator is a system call: unlock first.
        drop(finished);
        next.into_iter().chain(others).collect()
    }

    /// Encodes a batch and answers the reads that waited for it.
    fn encode(&self, mut encoder: Encoder, mut batch: Batch) -> Vec<WorkItem> {
        let spare = self.state.lock().window.spare();
        // Memory that nothing is written to takes no room.
        let memory = spare.unwrap_or_else(|| Vec::with_capacity(2 * batch.bytes().len()));
        let chunk = encoder.encode(&mut batch, memory);
        batch.recycle();

        let mut state = self.state.lock();
        if state.is_closed() {
            return Vec::new();
        }
        let State {
            window, pipeline, ..
        } = &mut *state;
        let stalled = pipeline.accept_chunk(encoder, chunk, window);
        let answered = state.answered(stalled);
        let wanted = state.wanted();
        let poller = state.take_poller();
        let next_pass = state.next_pass();
        // A pass without rows may go on for long: see whether anybody still waits for it.
        let abandoned = stalled.then(|| state.forget_abandoned());
        drop(state);
        send(answered);
        // An answer that is dropped may close a stream.
        drop(abandoned);
        // To wake those who poll is a system call: unlock first.
        poller.into_iter().for_each(|wake| wake());
        self.await_next_pass(next_pass);
        wanted
    }
}

/// Answers reads, which is a system call: unlock first.
fn send(answered: Vec<(Read, Outcome)>) {
    for (read, outcome) in answered {
        outcome.send(read);
    }
}
