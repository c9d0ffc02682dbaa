//! The threads of the [`Scheduler`](super::Scheduler).
//!
//! Threads start on demand and end when they have been idle for long. Two start at once and
//! stay, so that jobs are done even if no more threads can be started later.

use super::queue::{Class, Limits, Queue, Ticket};
use super::state::{Actions, State};
use super::{TimeSlice, Watched, affinity, watchdog};
use crate::access::quota::AccountId;
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::thread::{Pid, gettid};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Threads that start with the pool and stay.
pub(super) const PERMANENT: usize = 2;

/// How long any other thread stays without work.
const IDLE: Duration = Duration::from_secs(5);

/// How long the pool waits before it tries again to start a thread, and how often it logs
/// that it cannot.
const NO_THREADS: Duration = Duration::from_secs(1);
const LOG_NO_THREADS: Duration = Duration::from_secs(60);

type Work = Box<dyn FnOnce(&TimeSlice<'_>) + Send>;

/// Work for an account.
pub(super) struct Job {
    work: Work,
    pub(super) watched: Option<Weak<dyn Watched>>,
    pub(super) queued: Instant,
}

impl Job {
    pub(super) fn new(
        work: impl FnOnce(&TimeSlice<'_>) + Send + 'static,
        watched: Option<Weak<dyn Watched>>,
    ) -> Job {
        Job {
            work: Box::new(work),
            watched,
            queued: Instant::now(),
        }
    }
}

/// The state that all threads share.
pub(super) struct Pool {
    /// Never held across a system call.
    pub(super) state: Mutex<State>,
    /// Wakes threads that have no work.
    work: Condvar,
    /// Wakes the watchdog.
    pub(super) watch: Condvar,
    /// The number of jobs that wait, for running jobs to look at without the lock.
    waiting: AtomicUsize,
    pub(super) max_threads: usize,
}

impl Pool {
    /// Starts the permanent threads and the watchdog.
    ///
    /// # Errors
    /// The kernel's, if it does not start them.
    pub(super) fn start(limits: Limits) -> io::Result<Arc<Pool>> {
        let pool = Arc::new(Pool {
            state: Mutex::new(State::new(Queue::new(limits))),
            work: Condvar::new(),
            watch: Condvar::new(),
            waiting: AtomicUsize::new(0),
            max_threads: limits.threads,
        });
        pool.start_first(limits)
            .inspect_err(|_| pool.close())
            .map(|()| pool)
    }

    fn start_first(self: &Arc<Pool>, limits: Limits) -> io::Result<()> {
        for _ in 0..PERMANENT.min(limits.threads) {
            self.state.lock().starting += 1;
            Pool::start_thread(self)?;
        }
        watchdog::start(Arc::clone(self))
    }

    /// Ends all threads once the queue is empty.
    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_all();
        self.watch.notify_all();
    }

    pub(super) fn has_waiting_jobs(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    pub(super) fn push(pool: &Arc<Pool>, account: AccountId, class: Class, job: Job) {
        let mut state = pool.state.lock();
        state.queue.push(account, class, job);
        pool.count_waiting(&state);
        let actions = state.actions(pool.max_threads);
        drop(state);
        Pool::act(pool, actions);
    }

    /// Drops the jobs that wait to run for `watched`.
    pub(super) fn withdraw(&self, account: AccountId, watched: *const dyn Watched) {
        let mut state = self.state.lock();
        let withdrawn = state.queue.withdraw(account, |job| {
            let of = job.watched.as_ref().map(Weak::as_ptr);
            of.is_some_and(|of| std::ptr::addr_eq(of, watched))
        });
        self.count_waiting(&state);
        drop(state);
        // A job may hold descriptors. Closing them is a system call, so unlock first.
        drop(withdrawn);
    }

    /// Counts a job on a thread that serves requests, if one may run there.
    pub(super) fn begin_inline(&self, account: AccountId) -> bool {
        self.state.lock().queue.begin_inline(account)
    }

    /// Notes the end of such a job.
    pub(super) fn end_inline(&self, account: AccountId, used: Duration) {
        self.state.lock().queue.end_inline(account, used);
    }

    fn count_waiting(&self, state: &State) {
        self.waiting.store(state.queue.waiting(), Ordering::Relaxed);
    }

    /// Wakes and starts the threads that the state calls for.
    pub(super) fn act(pool: &Arc<Pool>, actions: Actions) {
        if actions.wake {
            pool.work.notify_one();
        }
        if actions.watch {
            pool.watch.notify_one();
        }
        if actions.start
            && let Err(error) = Pool::start_thread(pool)
        {
            pool.cannot_start(&error);
        }
    }

    /// Starts a thread, which the caller has counted in [`State::starting`].
    fn start_thread(pool: &Arc<Pool>) -> io::Result<()> {
        let own = Arc::clone(pool);
        let mask = affinity::mask_for_child();
        let spawned = thread::Builder::new()
            .name("producer".into())
            .spawn(move || {
                if let Some(mask) = mask {
                    affinity::set(mask);
                }
                Pool::work(&own);
            });
        if spawned.is_err() {
            pool.state.lock().starting -= 1;
        }
        spawned.map(drop)
    }

    /// Logs that no thread could be started. The threads that exist get to every job.
    fn cannot_start(&self, error: &io::Error) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.no_threads_until = Some(now + NO_THREADS);
        let logged = state.logged_no_threads;
        let is_due = logged.is_none_or(|logged| now - logged >= LOG_NO_THREADS);
        if is_due {
            state.logged_no_threads = Some(now);
        }
        let threads = state.threads;
        drop(state);
        if is_due {
            tracing::error!(
                "cannot start another thread: {error}; all readers share {threads} threads, \
                 so reads may be slow; raise the limit on threads (TasksMax=, pids.max)"
            );
        }
    }

    /// The life of a thread, until it has been idle for long.
    fn work(pool: &Arc<Pool>) {
        let thread = gettid();
        let mut state = pool.state.lock();
        state.starting -= 1;
        state.threads += 1;
        loop {
            let threads = state.threads;
            if let Some((ticket, job)) = state.queue.pop(threads) {
                let panicked;
                (state, panicked) = pool.run(state, thread, ticket, job);
                if panicked {
                    break;
                }
                continue;
            }
            let actions = state.actions(pool.max_threads);
            if actions.any() {
                drop(state);
                Pool::act(pool, actions);
                state = pool.state.lock();
                continue;
            }
            if state.closing || !pool.wait(&mut state) {
                state.threads -= 1;
                return;
            }
        }
        // A thread that cannot leave a net namespace panics. It must not serve anybody
        // there, so another takes its place.
        state.threads -= 1;
        state.starting += 1;
        drop(state);
        if let Err(error) = Pool::start_thread(pool) {
            pool.cannot_start(&error);
        }
    }

    /// Runs a job. Returns whether it panicked.
    fn run<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        thread: Pid,
        ticket: Ticket,
        job: Job,
    ) -> (MutexGuard<'a, State>, bool) {
        self.count_waiting(&state);
        let number = state.begin(thread, ticket, job.watched);
        let actions = state.actions(self.max_threads);
        drop(state);
        Pool::act(self, actions);

        let slice = TimeSlice {
            pool: self,
            begun: Instant::now(),
        };
        let before = processor_time();
        let panicked = catch_unwind(AssertUnwindSafe(|| (job.work)(&slice))).is_err();
        if panicked {
            tracing::error!("internal error in iterfs: a job panicked");
        }
        let used = processor_time().saturating_sub(before);

        let mut state = self.state.lock();
        state.end(number, used);
        (state, panicked)
    }

    /// Waits for work. Returns false if there was none for long and the pool does not need
    /// this thread.
    fn wait(&self, state: &mut MutexGuard<'_, State>) -> bool {
        let stays = state.awake() <= PERMANENT;
        state.idle += 1;
        let timed_out = match stays {
            true => {
                self.work.wait(state);
                false
            }
            false => self.work.wait_for(state, IDLE).timed_out(),
        };
        state.idle -= 1;
        // The first thread to get here answers the call, whichever thread was woken.
        let was_woken = state.waking > 0 || !timed_out;
        state.waking = state.waking.saturating_sub(1);
        was_woken || state.awake() <= PERMANENT
    }
}

/// The processor time of this thread.
pub(super) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
