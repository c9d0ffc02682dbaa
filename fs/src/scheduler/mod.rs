//! The worker pool: which job runs when, and on which thread.
//!
//! A small job runs on the thread that serves its request, under an [`InlinePermit`], and
//! wakes no other thread. Every other job waits in a [`queue`] for a thread of the
//! [`pool`], which starts threads on demand, up to a bound.
//!
//! The kernel may keep a thread asleep for as long as another process likes: a walk over
//! mappings waits for the lock of that process's memory map. The [`watchdog`] notices such
//! threads, lets others take their places within bounds, and makes the reads that wait for
//! them fail.
//!
//! Nothing here knows what a job does. [`Serial`] is a thread of its own for jobs that must
//! wait for no reader, and [`affinity`] keeps threads that work together off each other's
//! processors.

mod affinity;
mod pool;
mod queue;
mod serial;
mod state;
mod timer;
mod watchdog;

use crate::access::quota::AccountId;
pub(crate) use affinity::ReservedCpu;
use pool::{Job, Pool};
pub(crate) use queue::Class;
use queue::Limits;
pub(crate) use serial::Serial;
use std::io;
use std::num::NonZero;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};
pub(crate) use timer::{Alarm, Due, Timer};

/// Threads at most, and threads per processor: while one account keeps all processors busy,
/// several times as many threads are left for the others.
const THREADS: usize = 64;
const THREADS_PER_PROCESSOR: usize = 8;

/// How long a job goes on while others wait.
const QUANTUM: Duration = Duration::from_millis(5);

/// Something whose reads wait for the outcome of jobs.
pub(crate) trait Watched: Send + Sync {
    /// The number of steps that its pass has made in the kernel.
    fn steps(&self) -> u64;

    /// Fails the reads that have waited at least this long, because the kernel keeps the
    /// pass asleep.
    fn time_out(&self, waited: Duration);
}

/// Runs jobs for accounts, in turn.
pub struct Scheduler {
    pool: Arc<Pool>,
    processors: usize,
    timer: Timer,
}

/// The time that a job has on a thread of the pool.
pub(crate) struct TimeSlice<'a> {
    pool: &'a Pool,
    begun: Instant,
}

/// Permission to work on a thread that serves requests, until dropped.
pub struct InlinePermit<'a> {
    pool: &'a Pool,
    account: AccountId,
    begun: Instant,
}

impl Scheduler {
    /// A scheduler for this machine. At most `max_inline` of the threads that serve
    /// requests may work at once, so that some are left to serve.
    ///
    /// # Errors
    /// The kernel's, if it does not even start the first threads.
    pub fn new(max_inline: usize) -> io::Result<Arc<Scheduler>> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = THREADS.max(THREADS_PER_PROCESSOR * processors);
        Scheduler::with(processors, threads, max_inline)
    }

    /// A scheduler as for a machine with this many processors, with at most `threads`
    /// threads of its own.
    ///
    /// # Errors
    /// As [`Scheduler::new`].
    pub fn with(
        processors: usize,
        threads: usize,
        max_inline: usize,
    ) -> io::Result<Arc<Scheduler>> {
        let limits = Limits {
            processors,
            threads,
            inline: max_inline,
        };
        Ok(Arc::new(Scheduler {
            pool: Pool::start(limits)?,
            processors,
            timer: Timer::start()?,
        }))
    }

    /// The number of processors: more jobs of one account do not run at once.
    pub(crate) fn processors(&self) -> usize {
        self.processors
    }

    /// Runs `job` for an account on another thread, when it is the account's turn. The job
    /// must not wait for other processes.
    pub fn run(&self, account: AccountId, job: impl FnOnce() + Send + 'static) {
        let job = Job::new(|_| job(), None);
        Pool::push(&self.pool, account, Class::Plain, job);
    }

    /// Runs a job whose outcome `watched` waits for. The job should end when its time slice
    /// is over.
    pub(crate) fn run_for(
        &self,
        account: AccountId,
        class: Class,
        watched: Weak<dyn Watched>,
        job: impl FnOnce(&TimeSlice<'_>) + Send + 'static,
    ) {
        Pool::push(&self.pool, account, class, Job::new(job, Some(watched)));
    }

    /// Drops the jobs that wait to run for `watched`.
    pub(crate) fn withdraw(&self, account: AccountId, watched: *const dyn Watched) {
        self.pool.withdraw(account, watched);
    }

    /// The timer that all streams share.
    pub(crate) fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Whether no job runs on the pool, and none waits. Jobs schedule what follows before
    /// they end.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.pool.state.lock();
        state.running.is_empty() && state.queue.waiting() == 0
    }

    /// Permits work for an account on this thread, which serves requests. Returns `None` if
    /// too many such threads work already, or if other jobs of the account wait for their
    /// turn.
    pub fn try_inline(&self, account: AccountId) -> Option<InlinePermit<'_>> {
        self.pool.begin_inline(account).then(|| InlinePermit {
            pool: &self.pool,
            account,
            begun: Instant::now(),
        })
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl TimeSlice<'_> {
    /// Whether the job should leave its thread to others.
    pub(crate) fn is_over(&self) -> bool {
        self.pool.has_waiting_jobs() && self.begun.elapsed() >= QUANTUM
    }
}

impl InlinePermit<'_> {
    /// Whether the rest of the work should be done on another thread.
    pub(crate) fn is_over(&self) -> bool {
        self.begun.elapsed() >= QUANTUM
    }
}

impl Drop for InlinePermit<'_> {
    fn drop(&mut self) {
        self.pool.end_inline(self.account, self.begun.elapsed());
    }
}

#[cfg(test)]
mod tests;
