//! The state of the [`Pool`](super::pool::Pool): its threads, and the next action.

use super::Watched;
use super::pool::Job;
use super::queue::{Queue, Ticket};
use super::watchdog::{Pace, Sleep};
use rustix::thread::Pid;
use std::sync::Weak;
use std::time::{Duration, Instant};

/// The queue and the threads.
pub(super) struct State {
    pub(super) queue: Queue<Job>,
    pub(super) running: Vec<Running>,
    /// The number of jobs that ever began.
    begun: u64,
    /// Threads that have started.
    pub(super) threads: usize,
    /// Threads that are about to start.
    pub(super) starting: usize,
    pub(super) idle: usize,
    /// Idle threads that were woken and have not taken the lock yet.
    pub(super) waking: usize,
    /// Until then the pool does not try to start a thread.
    pub(super) no_threads_until: Option<Instant>,
    pub(super) logged_no_threads: Option<Instant>,
    pub(super) pace: Pace,
    pub(super) closing: bool,
}

/// A job on a thread of the pool.
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) thread: Pid,
    pub(super) ticket: Ticket,
    pub(super) watched: Option<Weak<dyn Watched>>,
    pub(super) sleep: Sleep,
}

/// The action to take once the lock is released.
#[derive(Default)]
pub(super) struct Actions {
    /// Wake an idle thread.
    pub(super) wake: bool,
    /// Start a thread.
    pub(super) start: bool,
    /// Wake the watchdog.
    pub(super) watch: bool,
}

impl State {
    pub(super) fn new(queue: Queue<Job>) -> State {
        State {
            queue,
            running: Vec::new(),
            begun: 0,
            threads: 0,
            starting: 0,
            idle: 0,
            waking: 0,
            no_threads_until: None,
            logged_no_threads: None,
            pace: Pace::Off,
            closing: false,
        }
    }

    /// The number of threads that do not sleep in a job.
    pub(super) fn awake(&self) -> usize {
        let asleep = self.running.iter().filter(|running| running.ticket.asleep);
        self.threads - asleep.count()
    }

    /// Notes that a thread begins a job. Returns the number of the job.
    pub(super) fn begin(
        &mut self,
        thread: Pid,
        ticket: Ticket,
        watched: Option<Weak<dyn Watched>>,
    ) -> u64 {
        self.begun += 1;
        self.running.push(Running {
            number: self.begun,
            thread,
            ticket,
            watched,
            sleep: Sleep::default(),
        });
        self.begun
    }

    /// Notes the end of a job, which took that much processor time.
    pub(super) fn end(&mut self, number: u64, used: Duration) {
        let mut numbers = self.running.iter().map(|running| running.number);
        if let Some(at) = numbers.position(|running| running == number) {
            let running = self.running.swap_remove(at);
            self.queue.end(running.ticket, used);
        }
    }

    /// The action that the waiting jobs call for. Counts the thread that is woken or started.
    pub(super) fn actions(&mut self, max_threads: usize) -> Actions {
        let mut actions = Actions::default();
        // One thread at a time: as soon as it arrives it asks for the next one itself.
        let is_ready = self.queue.is_ready();
        if is_ready && self.waking + self.starting == 0 {
            let may_start = (self.no_threads_until).is_none_or(|until| Instant::now() >= until);
            if self.idle > 0 && self.queue.is_ready_for(self.threads) {
                actions.wake = true;
                self.waking += 1;
            } else if self.threads < max_threads && may_start {
                actions.start = true;
                self.starting += 1;
            }
        }
        let pace = self.wanted_pace(is_ready);
        if pace > self.pace {
            self.pace = pace;
            actions.watch = true;
        }
        actions
    }

    /// How often the watchdog should look, given whether a job could run if a thread were
    /// free.
    pub(super) fn wanted_pace(&self, is_ready: bool) -> Pace {
        match self.running.is_empty() {
            true => Pace::Off,
            false if self.queue.waiting() > 0 && !is_ready => Pace::Fast,
            false => Pace::Slow,
        }
    }
}

impl Actions {
    pub(super) fn any(&self) -> bool {
        self.wake || self.start || self.watch
    }
}
