//! Threads that produce ahead of readers.
//!
//! There are as many as there is work for, up to a bound, and they end when there
//! has been none for a while: a pass that the kernel keeps waiting (on another
//! process's memory, say) holds up its own readers and nobody else's. Where there is
//! more to do than threads, users take turns, however much one of them asks for.

use super::apart;
use super::batch::BATCH;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that one pass may keep busy.
const MAX_LANES: usize = 4;

/// Pieces of memory kept for batches to come.
const MAX_SPARE: usize = 2 * MAX_LANES;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(5);

/// The threads and their queue.
pub struct Pool {
    queue: Mutex<Queue>,
    wake: Condvar,
    max_threads: usize,
    inline: AtomicUsize,
    max_inline: usize,
    lanes: usize,
    /// Memory of batches, to be used again.
    spare: Mutex<Vec<Vec<u8>>>,
}

#[derive(Default)]
struct Queue {
    jobs: Jobs,
    threads: usize,
    idle: usize,
}

/// What is to be done, by user; the next is whose turn it is.
#[derive(Default)]
struct Jobs {
    users: VecDeque<(u32, VecDeque<Job>)>,
    count: usize,
}

impl Jobs {
    fn push(&mut self, user: u32, job: Job) {
        self.count += 1;
        match self.users.iter_mut().find(|(other, _)| *other == user) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.users.push_back((user, VecDeque::from([job]))),
        }
    }

    fn pop(&mut self) -> Option<Job> {
        let (user, mut jobs) = self.users.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.users.push_back((user, jobs));
        }
        self.count -= 1;
        job
    }
}

/// Leave to produce on a thread that serves requests; given back when dropped.
pub(super) struct InlinePermit<'a>(&'a Pool);

impl Pool {
    /// A pool of at most `max_threads`. At most `max_inline` of the threads that
    /// serve requests may produce at once, so that some are left to serve.
    pub fn new(max_threads: usize, max_inline: usize) -> Arc<Pool> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Pool::with_lanes(max_threads, max_inline, processors.min(MAX_LANES))
    }

    /// The same, where one pass keeps at most that many threads busy.
    pub(super) fn with_lanes(max_threads: usize, max_inline: usize, lanes: usize) -> Arc<Pool> {
        Arc::new(Pool {
            queue: Mutex::default(),
            wake: Condvar::new(),
            max_threads,
            inline: AtomicUsize::new(0),
            max_inline,
            lanes,
            spare: Mutex::default(),
        })
    }

    /// How many threads one pass may keep busy: what more processors would give is
    /// less than what the readers beside it lose.
    pub(super) fn lanes(&self) -> usize {
        self.lanes
    }

    /// Memory to read a batch into, with whatever is in it.
    pub(super) fn memory(&self) -> Vec<u8> {
        self.spare.lock().pop().unwrap_or_default()
    }

    /// Takes such memory back.
    pub(super) fn give_back(&self, memory: Vec<u8>) {
        let mut spare = self.spare.lock();
        // A pass of long rows is rare, and its memory large.
        if spare.len() < MAX_SPARE && memory.len() == BATCH {
            spare.push(memory);
        }
    }

    /// Runs `job` for a user on a thread of the pool, now or when it is its turn.
    pub(crate) fn run(self: &Arc<Self>, user: u32, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.queue.lock();
        queue.jobs.push(user, Box::new(job));
        let idle = queue.idle >= queue.jobs.count;
        let spawn = !idle && queue.threads < self.max_threads;
        if spawn {
            queue.threads += 1;
        }
        drop(queue);
        if !spawn {
            self.wake.notify_one();
            return;
        }
        let pool = Arc::clone(self);
        let allowed = apart::of_started();
        let spawned = thread::Builder::new()
            .name("producer".into())
            .spawn(move || {
                if let Some(allowed) = allowed {
                    apart::begin(allowed);
                }
                pool.work();
            });
        if let Err(error) = spawned {
            // The threads there are will come to it; without any, this one does.
            tracing::error!("a thread cannot be started: {error}");
            let mut queue = self.queue.lock();
            queue.threads -= 1;
            if queue.threads == 0
                && let Some(job) = queue.jobs.pop()
            {
                drop(queue);
                job();
            }
        }
    }

    /// Runs `job` on this thread, which serves requests, unless too many of those are kept
    /// already: then for a user on a thread of the pool.
    pub(crate) fn run_inline_or_later(
        self: &Arc<Self>,
        user: u32,
        job: impl FnOnce() + Send + 'static,
    ) {
        match self.try_inline() {
            Some(_permit) => job(),
            None => self.run(user, job),
        }
    }

    /// Whether somebody waits for a thread.
    pub(super) fn is_crowded(&self) -> bool {
        let queue = self.queue.lock();
        queue.jobs.count > queue.idle
    }

    /// Leave to produce here, if not too many do already.
    pub(super) fn try_inline(&self) -> Option<InlinePermit<'_>> {
        let permit = InlinePermit(self);
        let others = self.inline.fetch_add(1, Ordering::Relaxed);
        (others < self.max_inline).then_some(permit)
    }

    fn work(&self) {
        let mut queue = self.queue.lock();
        loop {
            if let Some(job) = queue.jobs.pop() {
                drop(queue);
                job();
                queue = self.queue.lock();
                continue;
            }
            queue.idle += 1;
            let timed_out = self.wake.wait_for(&mut queue, IDLE).timed_out();
            queue.idle -= 1;
            if timed_out && queue.jobs.count == 0 {
                queue.threads -= 1;
                return;
            }
        }
    }
}

impl Drop for InlinePermit<'_> {
    fn drop(&mut self) {
        self.0.inline.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn users_take_turns() {
        let pool = Pool::new(1, 0);
        let (begin, begun) = channel::<()>();
        let (say, said) = channel();
        let (take, taken) = channel();
        pool.run(1, move || {
            take.send(()).unwrap();
            let _ = begun.recv();
        });
        taken.recv().unwrap();
        for user in [1, 1, 1, 1, 2, 1, 3, 2] {
            let say = say.clone();
            pool.run(user, move || say.send(user).unwrap());
        }
        drop((begin, say));
        let order: Vec<u32> = said.iter().collect();
        assert_eq!(order, [1, 2, 3, 1, 2, 1, 1, 1]);
    }
}
