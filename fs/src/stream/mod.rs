//! From a pass to the bytes that a reader asks for.
//!
//! One way: a [`batch`] of records is read from a part of the pass and a [`maker`]
//! formats it into a chunk; [`order`] hands chunks to the [`window`], which keeps
//! those around the reader; a [`Stream`] puts them together and answers reads.
//! [`lanes`] says which thread does what next. Producing happens on the thread that
//! asks first, and after that ahead of the reader on threads of the [`pool`]. Nothing
//! here knows the kernel but by the trait of `iterfs_bpf::tables`.

mod apart;
mod batch;
mod lanes;
mod maker;
mod order;
mod parts;
mod pool;
mod window;

use crate::answer::Answer;
use crate::counts::Counts;
use crate::error::Failure;
use crate::quota::Account;
use apart::ReadOn;
use batch::{Batch, Part};
use iterfs_bpf::Pass;
use iterfs_mapping::Format;
use lanes::{Lane, Lanes, Turn};
use maker::{Maker, Recipe};
use parking_lot::Mutex;
pub use pool::Pool;
use std::sync::Arc;
use window::{Found, Piece, Window};

/// Bytes produced ahead of the reader before a pass pauses: as much as was read so
/// far, within these. Who looks at the front of a table and stops keeps little.
const LEAST_AHEAD: u64 = 32 * 1024;
const MOST_AHEAD: u64 = 1024 * 1024;

/// One open of a table: a pass that is read as a file.
pub struct Stream {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
}

struct Shared {
    /// Who reads, to take turns with others.
    user: u32,
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
    /// Its reader gave up waiting and has not come back: nothing is produced for it.
    abandoned: bool,
    closed: bool,
}

struct Read {
    offset: u64,
    size: usize,
    answer: Box<dyn Answer>,
}

impl Stream {
    /// A stream of `pass` in a format. Nothing is produced before it is read.
    /// What is kept of it is charged to an account, if it has one.
    pub fn new(
        pass: Pass,
        format: Format,
        counts: Arc<Counts>,
        account: Option<Arc<Account>>,
        pool: Arc<Pool>,
    ) -> Stream {
        let user = account.as_ref().map_or(0, |account| account.user());
        let recipe = Recipe {
            schema: pass.schema,
            format,
            counts,
        };
        let mut sources = pass.rest;
        sources.insert(0, pass.source);
        let state = State {
            window: Window::charged_to(account),
            lanes: Lanes::new(sources.into_iter(), recipe, pool.lanes()),
            waiting: Vec::new(),
            abandoned: false,
            closed: false,
        };
        Stream {
            shared: Arc::new(Shared {
                user,
                state: Mutex::new(state),
                read_on: ReadOn::default(),
            }),
            pool,
        }
    }

    /// Answers a read of at most `size` bytes at `offset`, now or when there are some.
    pub fn read(&self, offset: u64, size: usize, answer: Box<dyn Answer>) {
        let read = Read {
            offset,
            size,
            answer,
        };
        let mut state = self.shared.state.lock();
        state.abandoned = false;
        let answered = state.look(read, false);
        let lanes = state.wanted();
        drop(state);

        let waits = answered.is_none();
        if let Some((read, outcome)) = answered {
            outcome.send(read);
        }
        let mut lanes = lanes.into_iter();
        // The reader waits, so its first bytes are made here and now: most tables end
        // with them, and no thread is woken.
        let inline = if waits && lanes.len() > 0 {
            self.pool.try_inline()
        } else {
            None
        };
        let mut at_hand = inline.as_ref().and_then(|_| lanes.next());
        Shared::run_all(&self.shared, lanes, &self.pool);
        while let Some(lane) = at_hand.take() {
            let makes = matches!(lane.turn, Turn::Make(_));
            let mut next = self.shared.turn(lane, &self.pool, false).into_iter();
            if !makes {
                at_hand = next.next();
            }
            Shared::run_all(&self.shared, next, &self.pool);
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
        drop(state);
        // Closing the iterators is a system call, so it happens out of the lock.
        drop(parts);
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
                None
            }
        }
    }

    /// The waiting reads that need wait no longer.
    fn answered(&mut self, stalled: bool) -> Vec<(Read, Outcome)> {
        std::mem::take(&mut self.waiting)
            .into_iter()
            .filter_map(|read| self.look(read, stalled))
            .collect()
    }

    /// Bytes that somebody waits for and that are not made yet.
    fn missing(&self) -> u64 {
        let ends = self.waiting.iter();
        let end = ends.map(|read| read.offset.saturating_add(read.size as u64));
        end.max().unwrap_or(0).saturating_sub(self.window.end())
    }

    fn wants_more(&self) -> bool {
        let ahead = self.window.ahead() + self.lanes.behind() + self.lanes.at_work();
        let enough = self.window.position().clamp(LEAST_AHEAD, MOST_AHEAD);
        !self.closed && !self.abandoned && (self.lanes.at_work() < self.missing() || ahead < enough)
    }

    /// The lanes that rest and should not.
    fn wanted(&mut self) -> Vec<Lane> {
        let mut wanted = Vec::new();
        while let more = self.wants_more()
            && let Some(lane) = self.lanes.next(more)
        {
            wanted.push(lane);
        }
        wanted
    }
}

impl Shared {
    /// Runs lanes on threads of the pool.
    fn run_all(shared: &Arc<Shared>, lanes: impl IntoIterator<Item = Lane>, pool: &Arc<Pool>) {
        for lane in lanes {
            let (shared, own) = (Arc::clone(shared), Arc::clone(pool));
            pool.run(shared.user, move || Shared::work(&shared, lane, &own));
        }
    }

    /// Works on a lane until enough is made, or others wait for a thread.
    fn work(shared: &Arc<Shared>, lane: Lane, pool: &Arc<Pool>) {
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
            let goes_on = pool.lanes() > 1;
            let mut next = shared.turn(at_work, pool, goes_on).into_iter();
            if !pool.is_crowded() {
                lane = next.next();
            }
            Shared::run_all(shared, next, pool);
        }
    }

    /// Has a lane do its turn, and says which should go on; the first of them best on
    /// this thread. `goes_on` says whether one that reads should read on.
    fn turn(&self, lane: Lane, pool: &Pool, goes_on: bool) -> Vec<Lane> {
        match lane.turn {
            Turn::Read(part) => self.read(lane.maker, part, pool, goes_on),
            Turn::Make(batch) => self.make(lane.maker, batch, pool),
        }
    }

    /// Reads a batch.
    fn read(&self, maker: Maker, mut part: Part, pool: &Pool, goes_on: bool) -> Vec<Lane> {
        let mut state = self.state.lock();
        if !state.window.has_room() {
            // The pass rests; who waits for it is refused, and may ask again.
            let closed = state.lanes.rest(maker, part);
            let refused = std::mem::take(&mut state.waiting);
            drop(state);
            drop(closed);
            for read in refused {
                Outcome::Failed(Failure::TooMuchKept).send(read);
            }
            return Vec::new();
        }
        // As much as is wanted, and little for who has read little.
        let enough = state.missing().max(state.window.position());
        drop(state);

        let enough = usize::try_from(enough).unwrap_or(usize::MAX);
        let batch = part.read(maker.schema(), pool.memory(), enough);

        let mut state = self.state.lock();
        let goes_on = goes_on && state.wants_more();
        let (lane, finished) = state.lanes.read(maker, part, batch, goes_on);
        let others = state.wanted();
        drop(state);
        // Iterators are closed, and replies are written, out of the lock.
        drop(finished);
        lane.into_iter().chain(others).collect()
    }

    /// Makes a batch into a chunk and answers who waited for it.
    fn make(&self, mut maker: Maker, mut batch: Batch, pool: &Pool) -> Vec<Lane> {
        let memory = self.state.lock().window.spare().unwrap_or_default();
        let chunk = maker.make(&mut batch, memory);
        pool.give_back(batch.into_memory());

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

#[cfg(test)]
mod tests;
