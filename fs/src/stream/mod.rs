//! From a pass to the bytes that a reader asks for.
//!
//! A [`Stream`] answers the reads of one open file. Its bytes go one way:
//!
//! 1. a worker reads a [`batch`] of records from a [`partition`] of the pass,
//! 2. an [`encoder`] formats the batch as a chunk,
//! 3. the [`sequencer`] puts chunks into order,
//! 4. the [`window`] keeps the chunks around the reader,
//! 5. [`state`] answers reads from the window.
//!
//! The [`pipeline`] decides what each worker does next, and [`workers`] runs them: on the
//! thread that serves the first read, and after that ahead of the reader on threads of the
//! [`scheduler`](crate::scheduler). Nothing here knows a format, nor the kernel except
//! through the contract's trait [`Source`](iterfs_mapping::contract::Source).

mod batch;
mod encoder;
mod partition;
mod partitions;
mod piece;
mod pipeline;
mod repeat;
mod sequencer;
mod state;
mod window;
mod workers;

use crate::access::quota::{Account, Keeper, Member};
use crate::answer::Answer;
use crate::counts::Counts;
use crate::error::{Failure, Result};
use crate::scheduler::{Class, Due, ReservedCpu, Scheduler, Watched};
use crate::selection;
use encoder::Encoding;
use iterfs_mapping::Format;
use iterfs_mapping::contract::Pass;
use parking_lot::Mutex;
use pipeline::Pipeline;
use repeat::Schedule;
pub use repeat::{OpenAgain, Repeat};
pub(crate) use state::Wake;
use state::{Outcome, Read, State};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};
use window::Window;

/// The number of threads that one stream may keep busy. More would gain it less than the
/// readers beside it lose.
const MAX_WORKERS: usize = 4;

/// One open of a table: a pass that is read as a file.
pub struct Stream {
    shared: Arc<Shared>,
    scheduler: Arc<Scheduler>,
}

/// The part of a stream that its workers share with it.
struct Shared {
    this: Weak<Shared>,
    /// The account whose turn it takes to continue the pass, and whose memory is used.
    account: Arc<Account>,
    /// Whether the pass may wait for a process that it walks.
    class: Class,
    /// Steps that the pass has made in the kernel.
    steps: AtomicU64,
    /// Whether the scheduler ever got a job of this stream.
    scheduled: AtomicBool,
    /// The only lock of a stream, never held across a system call: take the work or the
    /// bytes out first, then unlock.
    state: Mutex<State>,
    /// The processor on which the pass is read.
    read_cpu: ReservedCpu,
}

impl Stream {
    /// A stream that shows `pass` in a format. Its memory is charged to an account. It
    /// produces nothing before the first read.
    pub fn new(
        pass: Pass,
        format: Format,
        counts: Arc<Counts>,
        account: Arc<Account>,
        scheduler: Arc<Scheduler>,
    ) -> Stream {
        let pass = selection::select(pass, &account);
        Stream::of_pass(pass, format, counts, account, scheduler, None)
    }

    /// A stream that shows one pass after another, of which this is the first.
    ///
    /// # Errors
    /// [`Failure::Tables`] if the rows cannot begin with a time.
    pub fn repeating(
        pass: Pass,
        format: Format,
        counts: Arc<Counts>,
        account: Arc<Account>,
        scheduler: Arc<Scheduler>,
        repeat: Repeat,
    ) -> Result<Stream> {
        let pass = selection::select(pass, &account);
        let pass = selection::stamp(pass, SystemTime::now())?;
        let schedule = Schedule::new(repeat, &scheduler);
        let schedule = Some(schedule);
        Ok(Stream::of_pass(
            pass, format, counts, account, scheduler, schedule,
        ))
    }

    fn of_pass(
        pass: Pass,
        format: Format,
        counts: Arc<Counts>,
        account: Arc<Account>,
        scheduler: Arc<Scheduler>,
        schedule: Option<Schedule>,
    ) -> Stream {
        let class = match pass.waits_for_processes {
            true => Class::WaitsForProcess,
            false => Class::Plain,
        };
        let encoding = Encoding {
            schema: pass.schema,
            filter: pass.asked.map(|asked| asked.in_daemon).unwrap_or_default(),
            format,
            counts,
        };
        let mut sources = pass.rest;
        sources.insert(0, pass.source);
        let workers = scheduler.processors().min(MAX_WORKERS);
        let repeats = schedule.is_some();
        let pipeline = Pipeline::new(sources.into_iter(), encoding, workers, repeats);
        let window = Window::charged_to(Arc::clone(&account));
        Stream {
            shared: Arc::new_cyclic(|this| Shared {
                this: Weak::clone(this),
                account,
                class,
                steps: AtomicU64::new(0),
                scheduled: AtomicBool::new(false),
                state: Mutex::new(State::new(window, pipeline, schedule)),
                read_cpu: ReservedCpu::default(),
            }),
            scheduler,
        }
    }

    /// Whether the last read began at this offset.
    pub fn begins_again(&self, offset: u64) -> bool {
        self.shared.state.lock().last_offset() == Some(offset)
    }

    /// Answers a read of at most `size` bytes at `offset`, now or once the bytes are there.
    pub fn read(&self, offset: u64, size: usize, answer: Box<dyn Answer>) {
        self.begin_read(offset, size, answer, true);
    }

    /// Answers such a read, but does none of the work on this thread.
    pub(crate) fn read_elsewhere(&self, offset: u64, size: usize, answer: Box<dyn Answer>) {
        self.begin_read(offset, size, answer, false);
    }

    fn begin_read(&self, offset: u64, size: usize, answer: Box<dyn Answer>, may_work: bool) {
        let read = Read {
            offset,
            size,
            asked: Instant::now(),
            answer,
        };
        let mut state = self.shared.state.lock();
        let answered = state.begin_read(read, || self.shared.join());
        let items = state.wanted();
        let next_pass = state.next_pass();
        drop(state);

        self.shared.await_next_pass(next_pass);
        let waits = answered.is_none();
        if let Some((read, outcome)) = answered {
            outcome.send(read);
        }
        let mut items = items.into_iter();
        // The reader waits, so this thread produces its first bytes. Most tables end with
        // them, and no other thread is woken. A pass that another process can hold up is
        // read elsewhere, so that it cannot take the threads that serve requests.
        let permit = match self.shared.class {
            Class::Plain if may_work && waits && items.len() > 0 => {
                self.scheduler.try_inline(self.shared.account.id())
            }
            Class::Plain | Class::WaitsForProcess => None,
        };
        let own = permit.as_ref().and_then(|_| items.next());
        Shared::schedule(&self.shared, items, &self.scheduler);
        if let Some((permit, item)) = permit.zip(own) {
            Shared::work_inline(&self.shared, item, permit, &self.scheduler);
        }
    }

    /// Whether a read would return something now. If not, `wake` is called once it may: it may
    /// be called in vain.
    pub(crate) fn poll(&self, wake: Option<Wake>) -> bool {
        let mut state = self.shared.state.lock();
        if state.poll(wake, || self.shared.join()) {
            return true;
        }
        let items = state.wanted();
        let next_pass = state.next_pass();
        drop(state);
        self.shared.await_next_pass(next_pass);
        Shared::schedule(&self.shared, items, &self.scheduler);
        false
    }

    /// Forgets reads whose caller has given up. If no other read waits, the stream produces
    /// nothing until the next one.
    pub fn abandoned(&self) {
        let abandoned = self.shared.state.lock().forget_abandoned();
        // An answer that is dropped may be sent, which is a system call: unlock first.
        drop(abandoned);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let closed = self.shared.state.lock().close();
        // Closing iterators is a system call, and giving memory back may be one: unlock
        // first.
        closed.drop();
        if self.shared.scheduled.load(Ordering::Relaxed) {
            let shared: *const Shared = Arc::as_ptr(&self.shared);
            self.scheduler.withdraw(self.shared.account.id(), shared);
        }
    }
}

impl Shared {
    /// Makes the stream a reader of its account.
    fn join(&self) -> Member {
        let keeper: Weak<Shared> = Weak::clone(&self.this);
        self.account.join(keeper)
    }
}

impl Due for Shared {
    /// Opens the next pass on another thread, so that the timer is free for others.
    fn due(self: Arc<Self>) {
        let mut state = self.state.lock();
        let begun = state.begin_pass();
        let schedule = state.schedule.as_ref();
        let scheduler = schedule.map(|schedule| Arc::clone(&schedule.scheduler));
        drop(state);
        let Some((open, scheduler)) = begun.zip(scheduler) else {
            return;
        };
        self.scheduled.store(true, Ordering::Relaxed);
        let watched: Weak<Shared> = Arc::downgrade(&self);
        let (account, class, runs_on) = (self.account.id(), self.class, Arc::clone(&scheduler));
        scheduler.run_for(account, class, watched, move |_| {
            Shared::begin_pass(&self, &open, &runs_on);
        });
    }
}

impl Keeper for Shared {
    fn trim(&self) {
        let given_up = self.state.lock().trim();
        // Giving memory back may be a system call: unlock first.
        drop(given_up);
    }
}

impl Watched for Shared {
    fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// The pass stays as it is and continues when the kernel lets it, so a reader may try
    /// again.
    fn time_out(&self, waited: Duration) {
        let late = self.state.lock().take_late(waited);
        for read in late {
            Outcome::Failed(Failure::HeldUp).send(read);
        }
    }
}

#[cfg(test)]
mod tests;
