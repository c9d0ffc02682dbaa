//! Which job runs next: the policy of the [`Scheduler`](super::Scheduler), without threads.
//!
//! The account whose jobs have run for the shortest time goes next. An account has no more
//! jobs running than there are processors. A job that the kernel keeps asleep does not count
//! as running, so another may take its place. The jobs of one account, asleep or not, hold
//! at most a share of the threads that are left.

use crate::access::quota::AccountId;
use std::collections::VecDeque;
use std::time::Duration;

/// Whether a job may wait for a process whose data it reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// The job waits for no particular process.
    Plain,
    /// The job may need the memory map of another process, whose lock that process can
    /// withhold for as long as it likes.
    WaitsForProcess,
}

const CLASSES: usize = 2;

/// The bounds of the policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Processors: it gains an account nothing to run more jobs at once.
    pub(super) processors: usize,
    /// Threads of the pool.
    pub(super) threads: usize,
    /// Jobs on threads that serve requests.
    pub(super) inline: usize,
}

/// Jobs that may start although all processors are taken: jobs of accounts that have none
/// running, and beyond those, jobs of the host's root.
const FOR_NEWCOMERS: usize = 2;
const FOR_ROOT: usize = 1;

/// Threads of each class that are reserved for the host's root, if there are enough.
const KEPT_FOR_ROOT: usize = 4;

/// One account may hold one in this many of the threads that are left.
const SHARE: usize = 4;

impl Limits {
    /// Threads that the jobs of one class may hold.
    fn of_class(&self) -> usize {
        (self.threads / CLASSES).max(1)
    }

    /// Threads that the jobs of one class may hold before this account gets no more.
    fn for_account(&self, account: AccountId) -> usize {
        let all = self.of_class();
        match account.is_host_root() {
            true => all,
            false => all - KEPT_FOR_ROOT.min(all / SHARE),
        }
    }
}

/// A job that was taken out to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) account: AccountId,
    pub(super) class: Class,
    /// Whether the kernel keeps it asleep.
    pub(super) asleep: bool,
}

/// The waiting jobs, by account.
pub(super) struct Queue<J> {
    limits: Limits,
    accounts: Vec<Entry<J>>,
    /// The time at which an account enters that had nothing to do before.
    clock: Duration,
    waiting: usize,
    /// Jobs that run on threads of the pool and are not asleep.
    running: usize,
    /// Jobs that run on threads that serve requests.
    inline: usize,
    /// Threads that jobs hold, asleep or not, by class.
    held: [usize; CLASSES],
    pushed: u64,
}

/// An account with something to do.
struct Entry<J> {
    account: AccountId,
    /// How long its jobs have run, on the clock that all accounts share.
    used: Duration,
    /// Waiting jobs by class, each with a number that tells in which order they came.
    waiting: [VecDeque<(u64, J)>; CLASSES],
    /// As in [`Queue`], of this account.
    running: usize,
    inline: usize,
    held: [usize; CLASSES],
}

impl<J> Entry<J> {
    fn is_idle(&self) -> bool {
        self.inline == 0 && self.held == [0; CLASSES] && self.waiting.iter().all(VecDeque::is_empty)
    }

    fn is_active(&self) -> bool {
        self.running + self.inline > 0 || self.waiting.iter().any(|jobs| !jobs.is_empty())
    }
}

impl<J> Queue<J> {
    pub(super) fn new(limits: Limits) -> Queue<J> {
        Queue {
            limits,
            accounts: Vec::new(),
            clock: Duration::ZERO,
            waiting: 0,
            running: 0,
            inline: 0,
            held: [0; CLASSES],
            pushed: 0,
        }
    }

    /// The number of waiting jobs.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts a job behind the other jobs of its account.
    pub(super) fn push(&mut self, account: AccountId, class: Class, job: J) {
        self.waiting += 1;
        self.pushed += 1;
        let number = self.pushed;
        self.active_entry(account).waiting[class as usize].push_back((number, job));
    }

    /// Whether a job could run if a thread were free.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready_for(usize::MAX)
    }

    /// Whether a job could run if one of that many threads were free.
    pub(super) fn is_ready_for(&self, threads: usize) -> bool {
        self.next(threads).is_some()
    }

    /// Takes out the job whose turn it is. `threads` is the number of threads that have
    /// started: jobs that may wait for a process never get the last of them.
    pub(super) fn pop(&mut self, threads: usize) -> Option<(Ticket, J)> {
        let (at, class) = self.next(threads)?;
        let entry = &mut self.accounts[at];
        let (_, job) = entry.waiting[class as usize].pop_front()?;
        entry.running += 1;
        entry.held[class as usize] += 1;
        self.waiting -= 1;
        self.running += 1;
        self.held[class as usize] += 1;
        let account = entry.account;
        self.tick();
        let ticket = Ticket {
            account,
            class,
            asleep: false,
        };
        Some((ticket, job))
    }

    /// Notes whether the kernel keeps a running job asleep.
    pub(super) fn set_asleep(&mut self, ticket: &mut Ticket, asleep: bool) {
        if ticket.asleep == asleep {
            return;
        }
        ticket.asleep = asleep;
        let entry = self.entry(ticket.account);
        match asleep {
            true => {
                entry.running -= 1;
                self.running -= 1;
            }
            false => {
                entry.running += 1;
                self.running += 1;
            }
        }
    }

    /// Notes the end of a job, which took that much processor time.
    pub(super) fn end(&mut self, mut ticket: Ticket, used: Duration) {
        self.set_asleep(&mut ticket, true);
        self.held[ticket.class as usize] -= 1;
        let entry = self.entry(ticket.account);
        entry.held[ticket.class as usize] -= 1;
        entry.used += used;
        self.forget_idle(ticket.account);
    }

    /// Begins a job of an account on a thread that serves requests, unless too many of
    /// these threads are busy or other jobs of the account wait already.
    pub(super) fn begin_inline(&mut self, account: AccountId) -> bool {
        if self.inline >= self.limits.inline {
            return false;
        }
        let entry = self.active_entry(account);
        if !entry.waiting[Class::Plain as usize].is_empty() {
            return false;
        }
        entry.inline += 1;
        self.inline += 1;
        true
    }

    /// Notes the end of a job on a thread that serves requests.
    pub(super) fn end_inline(&mut self, account: AccountId, used: Duration) {
        self.inline -= 1;
        let entry = self.entry(account);
        entry.inline -= 1;
        entry.used += used;
        self.forget_idle(account);
    }

    /// Takes out the waiting jobs of an account that are no longer wanted.
    pub(super) fn withdraw(&mut self, account: AccountId, unwanted: impl Fn(&J) -> bool) -> Vec<J> {
        let mut withdrawn = Vec::new();
        let entry = self.entry(account);
        for waiting in &mut entry.waiting {
            let (out, kept) = waiting.drain(..).partition(|(_, job)| unwanted(job));
            *waiting = kept;
            let out: VecDeque<(u64, J)> = out;
            withdrawn.extend(out.into_iter().map(|(_, job)| job));
        }
        self.waiting -= withdrawn.len();
        self.forget_idle(account);
        withdrawn
    }

    /// The jobs that may wait for a process and get no thread now, because such jobs hold
    /// too many threads already.
    pub(super) fn kept_from_threads(&self, threads: usize) -> impl Iterator<Item = &J> {
        let class = Class::WaitsForProcess;
        let kept = self
            .accounts
            .iter()
            .filter(move |entry| !self.may_hold(entry, class, threads));
        kept.flat_map(move |entry| entry.waiting[class as usize].iter().map(|(_, job)| job))
    }

    /// The account and class whose turn it is.
    fn next(&self, threads: usize) -> Option<(usize, Class)> {
        let ready = self.accounts.iter().enumerate().filter_map(|(at, entry)| {
            let class = self.next_of(entry, threads)?;
            Some((at, class, entry.used))
        });
        let (at, class, _) = ready.min_by_key(|(_, _, used)| *used)?;
        Some((at, class))
    }

    /// The class of the job that an account would run next, if it may run one.
    fn next_of(&self, entry: &Entry<J>, threads: usize) -> Option<Class> {
        let processors = self.limits.processors;
        let above = match (entry.running, entry.account.is_host_root()) {
            (1.., _) => 0,
            (0, false) => FOR_NEWCOMERS,
            (0, true) => FOR_NEWCOMERS + FOR_ROOT,
        };
        if entry.running >= processors || self.running >= processors + above {
            return None;
        }
        let classes = [Class::Plain, Class::WaitsForProcess].into_iter();
        let ready = classes.filter_map(|class| {
            let (number, _) = entry.waiting[class as usize].front()?;
            self.may_hold(entry, class, threads)
                .then_some((*number, class))
        });
        let (_, class) = ready.min_by_key(|(number, _)| *number)?;
        Some(class)
    }

    /// Whether an account may hold one more thread for a class.
    fn may_hold(&self, entry: &Entry<J>, class: Class, threads: usize) -> bool {
        let all: usize = self.held.iter().sum();
        if all >= self.limits.threads {
            return false;
        }
        let of_class = self.held[class as usize];
        if class == Class::WaitsForProcess && threads > 1 && of_class + 1 >= threads {
            return false;
        }
        let own = entry.held[class as usize];
        let left = (self.limits.for_account(entry.account)).saturating_sub(of_class);
        left > 0 && own < ((own + left) / SHARE).max(1)
    }

    fn entry(&mut self, account: AccountId) -> &mut Entry<J> {
        let found = self
            .accounts
            .iter()
            .position(|entry| entry.account == account);
        let at = found.unwrap_or_else(|| {
            self.accounts.push(Entry {
                account,
                used: self.clock,
                waiting: [VecDeque::new(), VecDeque::new()],
                running: 0,
                inline: 0,
                held: [0; CLASSES],
            });
            self.accounts.len() - 1
        });
        &mut self.accounts[at]
    }

    /// The entry of an account that has something to do from now on. It gets no credit for
    /// the time in which it had nothing to do.
    fn active_entry(&mut self, account: AccountId) -> &mut Entry<J> {
        let clock = self.clock;
        let entry = self.entry(account);
        if !entry.is_active() {
            entry.used = entry.used.max(clock);
        }
        entry
    }

    /// Forgets an account if it has nothing to do.
    fn forget_idle(&mut self, account: AccountId) {
        self.tick();
        self.accounts
            .retain(|entry| entry.account != account || !entry.is_idle());
    }

    /// Advances the clock to the active account that has used the least time.
    fn tick(&mut self) {
        let active = self.accounts.iter().filter(|entry| entry.is_active());
        if let Some(least) = active.map(|entry| entry.used).min() {
            self.clock = self.clock.max(least);
        }
    }
}

#[cfg(test)]
mod tests;
