//! Who works when: the threads that look up, read and format for callers.
//!
//! A small job runs on the thread that serves its request, by an [`InlinePermit`], and
//! wakes nobody. Every other job waits in a [`queue`] for a thread of the scheduler, which
//! starts them on demand, up to a bound. Two are started at once, so that jobs are done
//! even where no more threads can be started later.
//!
//! The kernel may keep a thread asleep for as long as another process likes: a walk over
//! mappings waits for the lock of that process's memory map. The [`watchdog`] notices such
//! threads, lets others take their places within bounds, and has the reads that wait for
//! them fail.

mod queue;
mod serial;
mod watchdog;

use crate::quota::AccountId;
use crate::stream::apart;
use crate::stream::batch::BATCH;
use parking_lot::{Condvar, Mutex, MutexGuard};
pub(crate) use queue::Class;
use queue::{Limits, Queue, Ticket};
use rustix::thread::{Pid, gettid};
use rustix::time::{ClockId, clock_gettime};
pub(crate) use serial::Serial;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};
use watchdog::{Pace, Sleep};

/// Threads at most, and for each processor: an account that keeps all processors busy
/// leaves as much to others several times over.
const THREADS: usize = 64;
const THREADS_A_PROCESSOR: usize = 8;

/// Threads that are started with the scheduler and stay.
const PERMANENT: usize = 2;

/// How long any other thread stays without work.
const IDLE: Duration = Duration::from_secs(5);

/// How long a job goes on while others wait.
const QUANTUM: Duration = Duration::from_millis(5);

/// How long the scheduler lets failed attempts to start a thread rest, and how often it
/// logs them.
const NO_THREADS: Duration = Duration::from_secs(1);
const LOG_NO_THREADS: Duration = Duration::from_secs(60);

/// Threads that one pass may keep busy.
const MAX_LANES: usize = 4;

/// Pieces of memory kept for batches to come.
const MAX_SPARE: usize = 2 * MAX_LANES;

/// What waits for the outcome of jobs.
pub(crate) trait Watched: Send + Sync {
    /// Steps that its pass has made in the kernel.
    fn steps(&self) -> u64;

    /// Fails the reads that have waited at least that long: the kernel keeps the pass
    /// asleep.
    fn time_out(&self, waited: Duration);
}

type Work = Box<dyn FnOnce(&Turn<'_>) + Send>;

/// What an account wants done.
struct Job {
    work: Work,
    watched: Option<Weak<dyn Watched>>,
    queued: Instant,
}

/// The threads and the queue of their jobs.
pub struct Scheduler {
    core: Arc<Core>,
    lanes: usize,
    /// Memory of batches, to be used again.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// What the threads share.
struct Core {
    /// Never held across a system call.
    state: Mutex<State>,
    /// Wakes threads that have no work.
    work: Condvar,
    /// Wakes the watchdog.
    watch: Condvar,
    /// Jobs that wait, for those who run one to look at.
    waiting: AtomicUsize,
    max_threads: usize,
}

struct State {
    queue: Queue<Job>,
    working: Vec<Working>,
    begun: u64,
    /// Threads that run, and that are being started.
    threads: usize,
    starting: usize,
    idle: usize,
    /// Idle threads that were woken and have not got here yet.
    waking: usize,
    no_threads_until: Option<Instant>,
    logged_no_threads: Option<Instant>,
    pace: Pace,
    closing: bool,
}

/// A thread that runs a job.
struct Working {
    number: u64,
    thread: Pid,
    ticket: Ticket,
    watched: Option<Weak<dyn Watched>>,
    sleep: Sleep,
}

/// The time that a job has on a thread.
pub(crate) struct Turn<'a> {
    core: &'a Core,
    begun: Instant,
}

/// Leave to work on a thread that serves requests, until dropped.
pub struct InlinePermit<'a> {
    core: &'a Core,
    account: AccountId,
    begun: Instant,
}

/// What is to be done once the lock is released.
#[derive(Default)]
struct Calls {
    wake: bool,
    start: bool,
    watch: bool,
}

impl Scheduler {
    /// A scheduler for this machine. At most `max_inline` of the threads that serve
    /// requests may work at once, so that some are left to serve.
    ///
    /// # Errors
    /// The kernel's, if it starts not even the first threads.
    pub fn new(max_inline: usize) -> io::Result<Arc<Scheduler>> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let limits = Limits {
            processors,
            threads: THREADS.max(THREADS_A_PROCESSOR * processors),
            inline: max_inline,
        };
        Scheduler::with_limits(limits, processors.min(MAX_LANES))
    }

    /// One as if there were that many processors and threads, where one pass keeps at
    /// most so many of them busy.
    ///
    /// # Errors
    /// As [`Scheduler::new`].
    pub fn with(
        processors: usize,
        threads: usize,
        max_inline: usize,
        lanes: usize,
    ) -> io::Result<Arc<Scheduler>> {
        let limits = Limits {
            processors,
            threads,
            inline: max_inline,
        };
        Scheduler::with_limits(limits, lanes)
    }

    fn with_limits(limits: Limits, lanes: usize) -> io::Result<Arc<Scheduler>> {
        let core = Arc::new(Core {
            state: Mutex::new(State {
                queue: Queue::new(limits),
                working: Vec::new(),
                begun: 0,
                threads: 0,
                starting: 0,
                idle: 0,
                waking: 0,
                no_threads_until: None,
                logged_no_threads: None,
                pace: Pace::Off,
                closing: false,
            }),
            work: Condvar::new(),
            watch: Condvar::new(),
            waiting: AtomicUsize::new(0),
            max_threads: limits.threads,
        });
        // Dropped on failure, which ends the threads that were started.
        let scheduler = Scheduler {
            core,
            lanes,
            spare: Mutex::default(),
        };
        for _ in 0..PERMANENT.min(limits.threads) {
            scheduler.core.state.lock().starting += 1;
            Core::start(&scheduler.core)?;
        }
        watchdog::start(Arc::clone(&scheduler.core))?;
        Ok(Arc::new(scheduler))
    }

    /// How many threads one pass may keep busy: more processors would gain it less than
    /// the readers beside it lose.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes
    }

    /// Memory to read a batch into, with whatever is in it.
    pub(crate) fn memory(&self) -> Vec<u8> {
        self.spare.lock().pop().unwrap_or_default()
    }

    /// Takes such memory back.
    pub(crate) fn give_back(&self, memory: Vec<u8>) {
        let mut spare = self.spare.lock();
        // A pass of long rows is rare, and its memory large.
        if spare.len() < MAX_SPARE && memory.len() == BATCH {
            spare.push(memory);
        }
    }

    /// Runs `job` for an account on another thread, when it is the account's turn. The job
    /// must not wait for other processes.
    pub fn run(&self, account: AccountId, job: impl FnOnce() + Send + 'static) {
        let job = Job {
            work: Box::new(|_| job()),
            watched: None,
            queued: Instant::now(),
        };
        Core::push(&self.core, account, Class::Plain, job);
    }

    /// Runs a part of what `watched` waits for. `job` should come to an end when its turn
    /// is over.
    pub(crate) fn run_for(
        &self,
        account: AccountId,
        class: Class,
        watched: Weak<dyn Watched>,
        job: impl FnOnce(&Turn<'_>) + Send + 'static,
    ) {
        let job = Job {
            work: Box::new(job),
            watched: Some(watched),
            queued: Instant::now(),
        };
        Core::push(&self.core, account, class, job);
    }

    /// Drops the jobs that wait to run for `watched`.
    pub(crate) fn withdraw(&self, account: AccountId, watched: *const dyn Watched) {
        let mut state = self.core.state.lock();
        let withdrawn = state.queue.withdraw(account, |job| {
            let of = job.watched.as_ref().map(Weak::as_ptr);
            of.is_some_and(|of| std::ptr::addr_eq(of, watched))
        });
        self.core.count_waiting(&state);
        drop(state);
        // Dropping what they hold may be a system call, so it happens out of the lock.
        drop(withdrawn);
    }

    /// Leave to work for an account on this thread, which serves requests: none if too
    /// many do already, or if other jobs of the account wait for their turn.
    pub fn try_inline(&self, account: AccountId) -> Option<InlinePermit<'_>> {
        let begins = self.core.state.lock().queue.begin_inline(account);
        begins.then(|| InlinePermit {
            core: &self.core,
            account,
            begun: Instant::now(),
        })
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.core.state.lock().closing = true;
        self.core.work.notify_all();
        self.core.watch.notify_all();
    }
}

impl Turn<'_> {
    /// Whether the job should let others have its thread.
    pub(crate) fn is_over(&self) -> bool {
        self.core.waiting.load(Ordering::Relaxed) > 0 && self.begun.elapsed() >= QUANTUM
    }
}

impl InlinePermit<'_> {
    /// Whether the rest should be done on another thread.
    pub(crate) fn is_over(&self) -> bool {
        self.begun.elapsed() >= QUANTUM
    }
}

impl Drop for InlinePermit<'_> {
    fn drop(&mut self) {
        let used = self.begun.elapsed();
        self.core.state.lock().queue.end_inline(self.account, used);
    }
}

impl Core {
    fn push(core: &Arc<Core>, account: AccountId, class: Class, job: Job) {
        let mut state = core.state.lock();
        state.queue.push(account, class, job);
        core.count_waiting(&state);
        let calls = state.calls(core.max_threads);
        drop(state);
        Core::make(core, calls);
    }

    fn count_waiting(&self, state: &State) {
        self.waiting.store(state.queue.waiting(), Ordering::Relaxed);
    }

    /// Wakes and starts whom the state calls for.
    fn make(core: &Arc<Core>, calls: Calls) {
        if calls.wake {
            core.work.notify_one();
        }
        if calls.watch {
            core.watch.notify_one();
        }
        if calls.start
            && let Err(error) = Core::start(core)
        {
            core.cannot_start(&error);
        }
    }

    /// Starts a thread that was counted as one that is being started.
    fn start(core: &Arc<Core>) -> io::Result<()> {
        let own = Arc::clone(core);
        let allowed = apart::of_started();
        let spawned = thread::Builder::new()
            .name("producer".into())
            .spawn(move || {
                if let Some(allowed) = allowed {
                    apart::begin(allowed);
                }
                Core::work(&own);
            });
        if spawned.is_err() {
            core.state.lock().starting -= 1;
        }
        spawned.map(drop)
    }

    /// The threads there are will come to every job.
    fn cannot_start(&self, error: &io::Error) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.no_threads_until = Some(now + NO_THREADS);
        let logged = state.logged_no_threads;
        let is_new = logged.is_none_or(|logged| now - logged >= LOG_NO_THREADS);
        if is_new {
            state.logged_no_threads = Some(now);
        }
        let threads = state.threads;
        drop(state);
        if is_new {
            tracing::error!(
                "cannot start another thread: {error}; \
                 {threads} threads serve all readers, so they may be slow"
            );
        }
    }

    /// What a thread does until it has been idle for long.
    fn work(core: &Arc<Core>) {
        let thread = gettid();
        let mut state = core.state.lock();
        state.starting -= 1;
        state.threads += 1;
        loop {
            let threads = state.threads;
            if let Some((ticket, job)) = state.queue.pop(threads) {
                let panicked;
                (state, panicked) = core.run(state, thread, ticket, job);
                if panicked {
                    break;
                }
                continue;
            }
            let calls = state.calls(core.max_threads);
            if calls.any() {
                drop(state);
                Core::make(core, calls);
                state = core.state.lock();
                continue;
            }
            if state.closing || !core.wait(&mut state) {
                state.threads -= 1;
                return;
            }
        }
        // A thread that cannot leave a net namespace panics, and must serve nobody there.
        state.threads -= 1;
        state.starting += 1;
        drop(state);
        if let Err(error) = Core::start(core) {
            core.cannot_start(&error);
        }
    }

    /// Runs a job, and says whether it panicked.
    fn run<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        thread: Pid,
        ticket: Ticket,
        job: Job,
    ) -> (MutexGuard<'a, State>, bool) {
        self.count_waiting(&state);
        let number = state.begin(thread, ticket, job.watched);
        let calls = state.calls(self.max_threads);
        drop(state);
        Core::make(self, calls);

        let turn = Turn {
            core: self,
            begun: Instant::now(),
        };
        let before = processor_time();
        let panicked = catch_unwind(AssertUnwindSafe(|| (job.work)(&turn))).is_err();
        if panicked {
            tracing::error!("a job panicked; this is a fault of iterfs");
        }
        let used = processor_time().saturating_sub(before);

        let mut state = self.state.lock();
        state.end(number, used);
        (state, panicked)
    }

    /// Waits for work; false if there was none for long and this thread is not needed.
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
        // Whoever comes first goes for the one that was meant.
        let was_woken = state.waking > 0 || !timed_out;
        state.waking = state.waking.saturating_sub(1);
        was_woken || state.awake() <= PERMANENT
    }
}

impl State {
    /// Threads that are not asleep in a job.
    fn awake(&self) -> usize {
        let asleep = self.working.iter().filter(|working| working.ticket.asleep);
        self.threads - asleep.count()
    }

    fn begin(&mut self, thread: Pid, ticket: Ticket, watched: Option<Weak<dyn Watched>>) -> u64 {
        self.begun += 1;
        self.working.push(Working {
            number: self.begun,
            thread,
            ticket,
            watched,
            sleep: Sleep::default(),
        });
        self.begun
    }

    fn end(&mut self, number: u64, used: Duration) {
        let at = self
            .working
            .iter()
            .position(|working| working.number == number);
        if let Some(at) = at {
            let working = self.working.swap_remove(at);
            self.queue.end(working.ticket, used);
        }
    }

    /// Notes whom the jobs that wait call for.
    fn calls(&mut self, max_threads: usize) -> Calls {
        let mut calls = Calls::default();
        // A thread that comes calls for the next one itself.
        let is_ready = self.queue.is_ready();
        if is_ready && self.waking + self.starting == 0 {
            let rests = self
                .no_threads_until
                .is_some_and(|until| Instant::now() < until);
            if self.idle > 0 && self.queue.is_ready_for(self.threads) {
                calls.wake = true;
                self.waking += 1;
            } else if self.threads < max_threads && !rests {
                calls.start = true;
                self.starting += 1;
            }
        }
        let pace = self.wanted_pace(is_ready);
        if pace > self.pace {
            self.pace = pace;
            calls.watch = true;
        }
        calls
    }

    fn wanted_pace(&self, is_ready: bool) -> Pace {
        match self.working.is_empty() {
            true => Pace::Off,
            false if self.queue.waiting() > 0 && !is_ready => Pace::Fast,
            false => Pace::Slow,
        }
    }
}

impl Calls {
    fn any(&self) -> bool {
        self.wake || self.start || self.watch
    }
}

/// How long this thread has run.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests;
