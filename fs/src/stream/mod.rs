//! From a pass to the bytes that a reader asks for.
//!
//! One way: a [`batch`] of records is read from a part of the pass and a [`maker`]
//! formats it into a chunk; [`order`] hands chunks to the [`window`], which keeps
//! those around the reader; a [`Stream`] puts them together and answers reads.
//! [`lanes`] says which thread does what next. Producing happens on the thread that
//! asks first, and after that ahead of the reader on threads of the
//! [`scheduler`](crate::scheduler). Nothing
//! here knows the kernel but by the trait of `iterfs_bpf::tables`.

pub(crate) mod apart;
pub(crate) mod batch;
mod lanes;
mod maker;
mod order;
mod parts;
mod window;

use crate::answer::Answer;
use crate::counts::Counts;
use crate::error::Failure;
use crate::memory::MOST_AHEAD;
use crate::quota::{Account, Keeper, Member, Room};
use crate::scheduler::{Class, InlinePermit, Scheduler, Turn as Time, Watched};
use apart::ReadOn;
use batch::{Batch, Part};
use iterfs_bpf::Pass;
use iterfs_mapping::Format;
use lanes::{Lane, Lanes, Turn};
use maker::{Maker, Recipe};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use window::{Found, Piece, Window};

/// Bytes produced ahead of the reader before a pass pauses: as much as was read so
/// far, within this and [`MOST_AHEAD`]. Who looks at the front of a table and stops keeps little.
const LEAST_AHEAD: u64 = 32 * 1024;

/// Bytes of a pass that are read at once where memory is short.
const LEAST_STEP: u64 = 16 * 1024;

/// One open of a table: a pass that is read as a file.
pub struct Stream {
    shared: Arc<Shared>,
    scheduler: Arc<Scheduler>,
}

struct Shared {
    /// Whose turn it is when the pass goes on, and whose memory is used.
    account: Arc<Account>,
    /// Whether the pass may wait for a process that it walks.
    class: Class,
    /// Steps made in the kernel.
    steps: AtomicU64,
    /// Whether a job of the pass was ever given to the scheduler.
    scheduled: AtomicBool,
    /// The only lock of a stream. Never held across a system call: who must read or
    /// format takes a lane out, who must answer takes the bytes out.
    state: Mutex<State>,
    read_on: ReadOn,
}

struct State {
    window: Window,
    lanes: Lanes,
    /// Reads that wait for bytes.
    waiting: Vec<Read>,
    /// Where the last read began.
    last: Option<u64>,
    /// Its place among the readers of its account, from the first read on.
    member: Option<Member>,
    /// Its reader gave up waiting and has not come back: nothing is produced for it.
    abandoned: bool,
    closed: bool,
}

struct Read {
    offset: u64,
    size: usize,
    asked: Instant,
    answer: Box<dyn Answer>,
}

impl Stream {
    /// A stream of `pass` in a format. Nothing is produced before it is read.
    /// What is kept of it is charged to an account.
    pub fn new(
        pass: Pass,
        format: Format,
        counts: Arc<Counts>,
        account: Arc<Account>,
        scheduler: Arc<Scheduler>,
    ) -> Stream {
        let class = match pass.waits_for_processes {
            true => Class::WaitsForProcess,
            false => Class::Plain,
        };
        let recipe = Recipe {
            schema: pass.schema,
            format,
            counts,
        };
        let mut sources = pass.rest;
        sources.insert(0, pass.source);
        let state = State {
            window: Window::charged_to(Arc::clone(&account)),
            lanes: Lanes::new(sources.into_iter(), recipe, scheduler.lanes()),
            waiting: Vec::new(),
            last: None,
            member: None,
            abandoned: false,
            closed: false,
        };
        Stream {
            shared: Arc::new(Shared {
                account,
                class,
                steps: AtomicU64::new(0),
                scheduled: AtomicBool::new(false),
                state: Mutex::new(state),
                read_on: ReadOn::default(),
            }),
            scheduler,
        }
    }

    /// Whether the last read began at this offset.
    pub fn begins_again(&self, offset: u64) -> bool {
        self.shared.state.lock().last == Some(offset)
    }

    /// Answers a read of at most `size` bytes at `offset`, now or when there are some.
    pub fn read(&self, offset: u64, size: usize, answer: Box<dyn Answer>) {
        let read = Read {
            offset,
            size,
            asked: Instant::now(),
            answer,
        };
        let mut state = self.shared.state.lock();
        state.abandoned = false;
        state.last = Some(offset);
        state.member.get_or_insert_with(|| {
            let keeper: Weak<Shared> = Arc::downgrade(&self.shared);
            self.shared.account.join(keeper)
        });
        let answered = state.look(read, false);
        let lanes = state.wanted();
        drop(state);

        let waits = answered.is_none();
        if let Some((read, outcome)) = answered {
            outcome.send(read);
        }
        let mut lanes = lanes.into_iter();
        // The reader waits, so its first bytes are made here and now: most tables end
        // with them, and no thread is woken. A pass that another process can hold up is
        // made elsewhere, lest nobody be left to serve.
        let inline = match self.shared.class {
            Class::Plain if waits && lanes.len() > 0 => {
                self.scheduler.try_inline(self.shared.account.id())
            }
            _ => None,
        };
        let at_hand = inline.as_ref().and_then(|_| lanes.next());
        Shared::run_all(&self.shared, lanes, &self.scheduler);
        if let Some((permit, lane)) = inline.zip(at_hand) {
            Shared::work_inline(&self.shared, lane, permit, &self.scheduler);
        }
    }

    /// Forgets reads whose reader gave up. If none is left the pass rests until the next.
    pub fn abandoned(&self) {
        let mut state = self.shared.state.lock();
        let before = state.waiting.len();
        let abandoned: Vec<_> = (state.waiting)
            .extract_if(.., |read| read.answer.is_abandoned())
            .collect();
        state.abandoned |= !abandoned.is_empty() && abandoned.len() == before;
        drop(state);
        drop(abandoned);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        let parts = state.lanes.close();
        let kept = (state.window.clear(), state.member.take());
        drop(state);
        // Closing the iterators is a system call, and so may be giving memory back: they
        // happen out of the lock.
        drop((parts, kept));
        if self.shared.scheduled.load(Ordering::Relaxed) {
            let shared: *const Shared = Arc::as_ptr(&self.shared);
            self.scheduler.withdraw(self.shared.account.id(), shared);
        }
    }
}

/// What a read gets.
enum Outcome {
    Bytes(Piece),
    End,
    Failed(Failure),
}

impl Outcome {
    fn send(self, read: Read) {
        read.answer.send(match &self {
            Outcome::Bytes(piece) => Ok(piece.as_slice()),
            Outcome::End => Ok(&[]),
            Outcome::Failed(failure) => Err(failure.clone()),
        });
    }
}

impl State {
    /// What a read gets now, if anything.
    ///
    /// Only the last read of a pass is short, or one that waits while many objects
    /// give no row: there are programs that take a short read for the end.
    fn outcome(&mut self, offset: u64, size: usize, stalled: bool) -> Option<Outcome> {
        let partial = stalled || self.lanes.end().is_some();
        match self.window.find(offset, size, partial) {
            Found::Bytes(piece) => Some(Outcome::Bytes(piece)),
            Found::TooFarBack => Some(Outcome::Failed(Failure::TooFarBack)),
            Found::NotYet => match self.lanes.end() {
                Some(Ok(())) => Some(Outcome::End),
                Some(Err(failure)) => Some(Outcome::Failed(failure.clone())),
                None => None,
            },
        }
    }

    /// The read with what it gets, or none: then it waits.
    fn look(&mut self, read: Read, stalled: bool) -> Option<(Read, Outcome)> {
        match self.outcome(read.offset, read.size, stalled) {
            Some(outcome) => Some((read, outcome)),
            None => {
                self.waiting.push(read);
                self.keep_for_waiting();
                None
            }
        }
    }

    /// The waiting reads that need wait no longer.
    fn answered(&mut self, stalled: bool) -> Vec<(Read, Outcome)> {
        let mut waiting = std::mem::take(&mut self.waiting);
        // The first want what the others let go of.
        waiting.sort_by_key(|read| read.offset);
        let answered = waiting.into_iter();
        let answered = answered
            .filter_map(|read| self.look(read, stalled))
            .collect();
        self.keep_for_waiting();
        answered
    }

    fn keep_for_waiting(&mut self) {
        let first = self.waiting.iter().map(|read| read.offset).min();
        self.window.keep_from(first);
    }

    /// Bytes that somebody waits for and that are not made yet.
    fn missing(&self) -> u64 {
        let ends = self.waiting.iter();
        let end = ends.map(|read| read.offset.saturating_add(read.size as u64));
        end.max().unwrap_or(0).saturating_sub(self.window.end())
    }

    /// `most` is how many bytes may be made before somebody asks for them.
    fn wants_more(&self, most: u64) -> bool {
        let ahead = self.window.ahead() + self.lanes.behind() + self.lanes.at_work();
        let position = self.window.position();
        let enough = position.clamp(LEAST_AHEAD, MOST_AHEAD).min(most);
        !self.closed && !self.abandoned && (self.lanes.at_work() < self.missing() || ahead < enough)
    }

    /// The lanes that rest and should not.
    fn wanted(&mut self) -> Vec<Lane> {
        let mut wanted = Vec::new();
        let ahead = self.window.share().ahead;
        while let more = self.wants_more(ahead)
            && let Some(lane) = self.lanes.next(more, ahead)
        {
            wanted.push(lane);
        }
        wanted
    }
}

impl Shared {
    /// Has the scheduler run lanes.
    fn run_all(
        shared: &Arc<Shared>,
        lanes: impl IntoIterator<Item = Lane>,
        scheduler: &Arc<Scheduler>,
    ) {
        for lane in lanes {
            shared.scheduled.store(true, Ordering::Relaxed);
            let watched: Weak<Shared> = Arc::downgrade(shared);
            let (own, runs_on) = (Arc::clone(shared), Arc::clone(scheduler));
            scheduler.run_for(shared.account.id(), shared.class, watched, move |time| {
                Shared::work(&own, lane, time, &runs_on);
            });
        }
    }

    /// Works on a lane until enough is made, or others are to have the thread.
    fn work(shared: &Arc<Shared>, lane: Lane, time: &Time<'_>, scheduler: &Arc<Scheduler>) {
        let mut lane = Some(lane);
        let mut has_read = false;
        while let Some(at_work) = lane.take() {
            let reads = matches!(at_work.turn, Turn::Read(_));
            match reads {
                true => shared.read_on.here(),
                // What this thread has read itself is at hand here.
                false if has_read => {}
                false => shared.read_on.not_here(),
            }
            has_read = reads;
            // Alone, it has nobody to make what it reads.
            let goes_on = scheduler.lanes() > 1;
            let mut next = shared.turn(at_work, scheduler, goes_on).into_iter();
            // What was read is made at once, lest it lie about while others have their turns.
            let next_one = next.next();
            let is_read = |lane: &Lane| matches!(lane.turn, Turn::Make(_));
            if !time.is_over() || reads && next_one.as_ref().is_some_and(is_read) {
                lane = next_one;
            } else {
                Shared::run_all(shared, next_one, scheduler);
            }
            Shared::run_all(shared, next, scheduler);
        }
    }

    /// Works on a lane, on a thread that serves requests, until it has made something.
    fn work_inline(
        shared: &Arc<Shared>,
        lane: Lane,
        permit: InlinePermit<'_>,
        scheduler: &Arc<Scheduler>,
    ) {
        let mut lane = Some(lane);
        while let Some(at_work) = lane.take() {
            let makes = matches!(at_work.turn, Turn::Make(_));
            let mut next = shared.turn(at_work, scheduler, false).into_iter();
            if !makes && !permit.is_over() {
                lane = next.next();
            }
            Shared::run_all(shared, next, scheduler);
        }
    }

    /// Has a lane do its turn, and says which should go on; the first of them best on
    /// this thread. `goes_on` says whether one that reads should read on.
    fn turn(&self, lane: Lane, scheduler: &Scheduler, goes_on: bool) -> Vec<Lane> {
        match lane.turn {
            Turn::Read(part) => self.read(lane.maker, part, scheduler, goes_on),
            Turn::Make(batch) => self.make(lane.maker, batch, scheduler),
        }
    }

    /// Reads a batch.
    fn read(
        &self,
        maker: Maker,
        mut part: Part,
        scheduler: &Scheduler,
        goes_on: bool,
    ) -> Vec<Lane> {
        self.account.reclaim();
        let mut state = self.state.lock();
        let share = state.window.share();
        let is_first_step = state.window.end() == 0;
        let room = self.account.room(is_first_step);
        if room != Room::Enough {
            // Readers get what there is for them. Those for whom there is nothing yet get on
            // by small steps, or not at all.
            let answered = state.answered(true);
            let refused = match room {
                Room::None => {
                    state.member = None;
                    std::mem::take(&mut state.waiting)
                }
                Room::Least | Room::Enough => Vec::new(),
            };
            if state.waiting.is_empty() {
                let closed = state.lanes.rest(maker, part);
                drop(state);
                drop(closed);
                answered
                    .into_iter()
                    .for_each(|(read, outcome)| outcome.send(read));
                for read in refused {
                    Outcome::Failed(Failure::TooMuchKept).send(read);
                }
                return Vec::new();
            }
            drop(state);
            answered
                .into_iter()
                .for_each(|(read, outcome)| outcome.send(read));
            state = self.state.lock();
        }
        // As much as is wanted, and little for who has read little or must share.
        let wanted = state.missing().max(state.window.position());
        let enough = match share.is_plenty() {
            true => wanted,
            // As text, records grow up to fourfold.
            false => wanted.min(share.ahead / 4).max(LEAST_STEP),
        };
        drop(state);

        let enough = usize::try_from(enough).unwrap_or(usize::MAX);
        let mut batch = part.read(maker.schema(), scheduler.memory(), enough, &self.steps);
        batch.charge_to(&self.account);

        let mut state = self.state.lock();
        let share = state.window.share();
        let goes_on = goes_on && share.is_plenty() && state.wants_more(share.ahead);
        let (lane, finished) = state.lanes.read(maker, part, batch, goes_on);
        let others = state.wanted();
        drop(state);
        // Iterators are closed, and replies are written, out of the lock.
        drop(finished);
        lane.into_iter().chain(others).collect()
    }

    /// Makes a batch into a chunk and answers who waited for it.
    fn make(&self, mut maker: Maker, mut batch: Batch, scheduler: &Scheduler) -> Vec<Lane> {
        let spare = self.state.lock().window.spare();
        // What is not written to takes no memory.
        let memory = spare.unwrap_or_else(|| Vec::with_capacity(2 * batch.bytes().len()));
        let chunk = maker.make(&mut batch, memory);
        scheduler.give_back(batch.into_memory());

        let mut state = self.state.lock();
        if state.closed {
            return Vec::new();
        }
        let State { window, lanes, .. } = &mut *state;
        let stalled = lanes.made(maker, chunk, window);
        let answered = state.answered(stalled);
        let wanted = state.wanted();
        drop(state);
        for (read, outcome) in answered {
            outcome.send(read);
        }
        wanted
    }
}

impl Keeper for Shared {
    fn trim(&self) {
        let given_up = self.state.lock().window.trim();
        // Giving memory back may be a system call, so it happens out of the lock.
        drop(given_up);
    }
}

impl Watched for Shared {
    fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// The pass stays as it is, and goes on when the kernel lets it: a read may be tried
    /// again.
    fn time_out(&self, waited: Duration) {
        let mut state = self.state.lock();
        let late = state
            .waiting
            .extract_if(.., |read| read.asked.elapsed() >= waited);
        let late: Vec<Read> = late.collect();
        drop(state);
        for read in late {
            Outcome::Failed(Failure::HeldUp).send(read);
        }
    }
}

#[cfg(test)]
mod tests;
