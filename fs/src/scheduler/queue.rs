//! Which job runs next: the policy of the [`Scheduler`](super::Scheduler), without threads.
//!
//! Accounts take turns by the time that their jobs have run. An account has no more jobs
//! running than there are processors, and a job that the kernel keeps asleep does not count
//! as running, so another may take its place. The threads that one account's jobs hold,
//! asleep or not, are bounded by a share of those that are left.

use crate::quota::AccountId;
use std::collections::VecDeque;
use std::time::Duration;

/// Whether a job may wait for a process that it looks into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// The job waits for nobody in particular.
    Plain,
    /// The job may need the memory map of another process, whose lock that process can
    /// withhold for as long as it likes.
    WaitsForProcess,
}

const CLASSES: usize = 2;

/// What the policy is bounded by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Processors, and thus jobs of one account that are worth running at once.
    pub(super) processors: usize,
    /// Threads altogether.
    pub(super) threads: usize,
    /// Jobs on threads that serve requests.
    pub(super) inline: usize,
}

/// Jobs that may start although all processors are taken: of accounts that have none
/// running, and besides these of the host's root.
const FOR_NEWCOMERS: usize = 2;
const FOR_ROOT: usize = 1;

/// Threads of each class that are kept for the host's root, where there are so many.
const KEPT_FOR_ROOT: usize = 4;

/// The part of the threads left that one account may hold.
const SHARE: usize = 4;

impl Limits {
    /// Threads that jobs of one class may hold.
    fn of_class(&self) -> usize {
        (self.threads / CLASSES).max(1)
    }

    /// The same, for an account.
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
    /// Whether the kernel has kept it asleep.
    pub(super) asleep: bool,
}

/// The jobs that wait, by account.
pub(super) struct Queue<J> {
    limits: Limits,
    accounts: Vec<Entry<J>>,
    /// The time from which an account starts that had nothing to do before.
    clock: Duration,
    waiting: usize,
    running: usize,
    inline: usize,
    held: [usize; CLASSES],
    pushed: u64,
}

/// An account with something to do.
struct Entry<J> {
    account: AccountId,
    /// How long its jobs have run, on the clock of all accounts.
    used: Duration,
    /// Jobs by class, each with its place in the order in which they came.
    waiting: [VecDeque<(u64, J)>; CLASSES],
    /// Threads on which its jobs run, but for those that are asleep.
    running: usize,
    inline: usize,
    /// Threads that its jobs hold, by class.
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

    /// Jobs that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts a job behind the others of its account.
    pub(super) fn push(&mut self, account: AccountId, class: Class, job: J) {
        self.waiting += 1;
        self.pushed += 1;
        let place = self.pushed;
        self.active_entry(account).waiting[class as usize].push_back((place, job));
    }

    /// Whether a job could run if a thread were free.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready_for(usize::MAX)
    }

    /// The same where there are that many threads.
    pub(super) fn is_ready_for(&self, threads: usize) -> bool {
        self.next(threads).is_some()
    }

    /// Takes out the job whose turn it is. `threads` says how many there are: one of them
    /// is always kept from jobs that may wait for a process.
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

    /// Notes the end of a job that ran for so long.
    pub(super) fn end(&mut self, mut ticket: Ticket, used: Duration) {
        self.set_asleep(&mut ticket, true);
        self.held[ticket.class as usize] -= 1;
        let entry = self.entry(ticket.account);
        entry.held[ticket.class as usize] -= 1;
        entry.used += used;
        self.forget_idle(ticket.account);
    }

    /// Lets a job of an account run on a thread that serves requests, unless those are
    /// taken or others of its jobs wait already.
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

    /// Notes the end of such a job.
    pub(super) fn end_inline(&mut self, account: AccountId, used: Duration) {
        self.inline -= 1;
        let entry = self.entry(account);
        entry.inline -= 1;
        entry.used += used;
        self.forget_idle(account);
    }

    /// Takes out the waiting jobs of an account that are not wanted any more.
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

    /// The jobs that may wait for a process and for which no thread may be held now: too
    /// many are.
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
            let (place, _) = entry.waiting[class as usize].front()?;
            self.may_hold(entry, class, threads)
                .then_some((*place, class))
        });
        let (_, class) = ready.min_by_key(|(place, _)| *place)?;
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

    /// The entry of an account that has something to do from now on. Time in which it had
    /// nothing to do gives it no credit.
    fn active_entry(&mut self, account: AccountId) -> &mut Entry<J> {
        let clock = self.clock;
        let entry = self.entry(account);
        if !entry.is_active() {
            entry.used = entry.used.max(clock);
        }
        entry
    }

    /// Forgets an account that has nothing to do.
    fn forget_idle(&mut self, account: AccountId) {
        self.tick();
        self.accounts
            .retain(|entry| entry.account != account || !entry.is_idle());
    }

    /// Moves the clock to the account that has used least.
    fn tick(&mut self) {
        let active = self.accounts.iter().filter(|entry| entry.is_active());
        if let Some(least) = active.map(|entry| entry.used).min() {
            self.clock = self.clock.max(least);
        }
    }
}
