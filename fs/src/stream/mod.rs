//! From a pass to the bytes that a reader asks for.
//!
//! One way: the [`producer`] takes records from the pass and formats them into
//! chunks; the [`window`] keeps the chunks around the reader; a [`Stream`] puts
//! the two together and answers reads. Producing happens on the thread that asks
//! first, and after that ahead of the reader on a thread of the [`pool`]. Nothing
//! here knows the kernel but by the trait of `iterfs_bpf::tables`.

mod pool;
mod producer;
mod window;

use crate::counts::Counts;
use crate::error::{Failure, Result};
use crate::quota::Account;
use iterfs_bpf::Pass;
use iterfs_mapping::Format;
use parking_lot::Mutex;
pub use pool::Pool;
use producer::{Producer, Step};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use window::{Found, Piece, Window};

/// Bytes produced ahead of the reader before a pass pauses.
const AHEAD: u64 = 512 * 1024;

/// Takes the answer to a read, once: bytes, none at the end, or a failure.
pub type Answer = Box<dyn FnOnce(Result<&[u8]>) + Send>;

/// One open of a table: a pass that is read as a file.
pub struct Stream {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
}

struct Shared {
    /// Who reads, to take turns with others.
    user: u32,
    /// The only lock of a stream. Never held across a system call: who must
    /// produce takes the producer out, who must answer takes the bytes out.
    state: Mutex<State>,
}

struct State {
    window: Window,
    production: Production,
    /// Reads that wait for bytes.
    waiting: Vec<Read>,
    closed: bool,
}

/// Where the producer is.
enum Production {
    /// Here: nobody reads, or enough is ahead.
    Paused(Box<Producer>),
    /// With a thread that runs it.
    Running,
    /// Gone: the pass is over, well or not.
    Over(Option<Failure>),
}

struct Read {
    offset: u64,
    size: usize,
    answer: Answer,
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
        let state = State {
            window: Window::charged_to(account),
            production: Production::Paused(Box::new(Producer::new(pass, format, counts))),
            waiting: Vec::new(),
            closed: false,
        };
        Stream {
            shared: Arc::new(Shared {
                user,
                state: Mutex::new(state),
            }),
            pool,
        }
    }

    /// Answers a read of at most `size` bytes at `offset`, now or when there are some.
    pub fn read(&self, offset: u64, size: usize, answer: Answer) {
        let read = Read {
            offset,
            size,
            answer,
        };
        let mut state = self.shared.state.lock();
        let answered = state.look(read, false);
        let producer = state.wanted_producer();
        drop(state);

        let waits = answered.is_none();
        if let Some((read, outcome)) = answered {
            outcome.send(read);
        }
        match producer {
            // The reader waits, so its first bytes are made here and now: most
            // tables end with them, and no thread is woken.
            Some(producer) if waits => match self.pool.try_inline() {
                Some(_permit) => self.shared.produce_once(producer, &self.pool),
                None => Shared::continue_on(&self.shared, producer, &self.pool),
            },
            Some(producer) => Shared::continue_on(&self.shared, producer, &self.pool),
            None => {}
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        let production = std::mem::replace(&mut state.production, Production::Over(None));
        drop(state);
        // Closing the iterator is a system call, so it happens out of the lock.
        drop(production);
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
        (read.answer)(match &self {
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
        let partial = stalled || matches!(self.production, Production::Over(_));
        match self.window.find(offset, size, partial) {
            Found::Bytes(piece) => Some(Outcome::Bytes(piece)),
            Found::TooFarBack => Some(Outcome::Failed(Failure::TooFarBack)),
            Found::NotYet => match &self.production {
                Production::Over(None) => Some(Outcome::End),
                Production::Over(Some(failure)) => Some(Outcome::Failed(failure.clone())),
                Production::Paused(_) | Production::Running => None,
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

    fn wants_more(&self) -> bool {
        !self.closed && (!self.waiting.is_empty() || self.window.ahead() < AHEAD)
    }

    /// The producer, if it rests and should not.
    fn wanted_producer(&mut self) -> Option<Box<Producer>> {
        if !self.wants_more() {
            return None;
        }
        match std::mem::replace(&mut self.production, Production::Running) {
            Production::Paused(producer) => Some(producer),
            other => {
                self.production = other;
                None
            }
        }
    }
}

impl Shared {
    /// Runs the producer on a thread of the pool until enough is ahead.
    fn continue_on(shared: &Arc<Shared>, mut producer: Box<Producer>, pool: &Arc<Pool>) {
        let (shared, own) = (Arc::clone(shared), Arc::clone(pool));
        pool.run(shared.user, move || {
            while let Some(rest) = shared.step(producer) {
                if own.is_crowded() {
                    return Shared::continue_on(&shared, rest, &own);
                }
                producer = rest;
            }
        });
    }

    /// Runs the producer for one chunk here, and on elsewhere if that is not all.
    fn produce_once(self: &Arc<Self>, producer: Box<Producer>, pool: &Arc<Pool>) {
        if let Some(rest) = self.step(producer) {
            Shared::continue_on(self, rest, pool);
        }
    }

    /// Makes a chunk, answers who waited for it, and gives the producer back if
    /// it should go on.
    fn step(&self, mut producer: Box<Producer>) -> Option<Box<Producer>> {
        let mut state = self.state.lock();
        if !state.window.has_room() {
            // The pass rests; who waits for it is refused, and may ask again.
            state.production = Production::Paused(producer);
            let refused = std::mem::take(&mut state.waiting);
            drop(state);
            for read in refused {
                Outcome::Failed(Failure::TooMuchKept).send(read);
            }
            return None;
        }
        let mut chunk = state.window.spare().unwrap_or_default();
        drop(state);
        // Should a row ever make us panic, its readers get an error, not silence.
        let step = catch_unwind(AssertUnwindSafe(|| producer.fill(&mut chunk)))
            .unwrap_or(Step::End(Err(Failure::Broken)));

        let mut finished = None;
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return None;
        }
        let stalled = chunk.is_empty();
        state.window.push(chunk);
        match step {
            Step::More => state.production = Production::Paused(producer),
            Step::End(outcome) => {
                state.production = Production::Over(outcome.err());
                finished = Some(producer);
            }
        }
        let answered = state.answered(stalled);
        let again = state.wanted_producer();
        drop(state);

        // The iterator is closed, and replies are written, out of the lock.
        drop(finished);
        for (read, outcome) in answered {
            outcome.send(read);
        }
        again
    }
}

#[cfg(test)]
mod tests;
