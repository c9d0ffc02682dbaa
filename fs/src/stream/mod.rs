//! From a pass to the bytes that a reader asks for.
//!
//! One way: a [`producer`] takes records from the pass and formats them into
//! chunks; [`lanes`] has several of them work on the parts of a large pass; the
//! [`window`] keeps the chunks around the reader; a [`Stream`] puts them together
//! and answers reads. Producing happens on the thread that asks
//! first, and after that ahead of the reader on a thread of the [`pool`]. Nothing
//! here knows the kernel but by the trait of `iterfs_bpf::tables`.

mod lanes;
mod pool;
mod producer;
mod window;

use crate::counts::Counts;
use crate::error::{Failure, Result};
use crate::quota::Account;
use iterfs_bpf::Pass;
use iterfs_mapping::Format;
use lanes::{Lane, Lanes};
use parking_lot::Mutex;
pub use pool::Pool;
use producer::Producer;
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
    lanes: Lanes,
    /// Reads that wait for bytes.
    waiting: Vec<Read>,
    closed: bool,
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
            lanes: Lanes::new(
                Producer::new(pass.schema, pass.source, format, counts),
                pass.rest,
                pool.lanes(),
            ),
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
        let first = inline.as_ref().and_then(|_| lanes.next());
        for lane in lanes {
            Shared::run(&self.shared, lane, &self.pool);
        }
        if let Some(lane) = first {
            for lane in self.shared.step(lane) {
                Shared::run(&self.shared, lane, &self.pool);
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        let lanes = state.lanes.close();
        drop(state);
        // Closing the iterators is a system call, so it happens out of the lock.
        drop(lanes);
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

    fn wants_more(&self) -> bool {
        !self.closed && (!self.waiting.is_empty() || self.window.ahead() < AHEAD)
    }

    /// The lanes that rest and should not.
    fn wanted(&mut self) -> Vec<Lane> {
        let more = self.wants_more();
        self.lanes.wanted(more)
    }
}

impl Shared {
    /// Runs a lane on a thread of the pool until enough is made, and the lanes that
    /// can go on for what it has made on others.
    fn run(shared: &Arc<Shared>, lane: Lane, pool: &Arc<Pool>) {
        let (shared, own) = (Arc::clone(shared), Arc::clone(pool));
        pool.run(shared.user, move || {
            let mut lane = Some(lane);
            while let Some(at_work) = lane.take() {
                let mut wanted = shared.step(at_work).into_iter();
                // Others wait for a thread: it is their turn.
                if !own.is_crowded() {
                    lane = wanted.next();
                }
                for other in wanted {
                    Shared::run(&shared, other, &own);
                }
            }
        });
    }

    /// Has a lane make a chunk, answers who waited for it, and says which lanes
    /// should go on.
    fn step(&self, mut lane: Lane) -> Vec<Lane> {
        let mut state = self.state.lock();
        if !state.window.has_room() {
            // The pass rests; who waits for it is refused, and may ask again.
            state.lanes.rest(lane);
            let refused = std::mem::take(&mut state.waiting);
            drop(state);
            for read in refused {
                Outcome::Failed(Failure::TooMuchKept).send(read);
            }
            return Vec::new();
        }
        let chunk = state.window.spare().unwrap_or_default();
        drop(state);

        let (made, step) = lane.step(chunk);

        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return Vec::new();
        }
        let stalled = made.bytes.is_empty() && state.lanes.is_front(&lane);
        let State { window, lanes, .. } = &mut *state;
        let finished = lanes.made(lane, made, step, window);
        let answered = state.answered(stalled);
        let wanted = state.wanted();
        drop(state);

        // Iterators are closed, and replies are written, out of the lock.
        drop(finished);
        for (read, outcome) in answered {
            outcome.send(read);
        }
        wanted
    }
}

#[cfg(test)]
mod tests;
