//! The policy under events in any order.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Event {
    Push { uid: u32, waits: bool },
    Pop,
    End { which: usize },
    Sleep { which: usize, asleep: bool },
    BeginInline { uid: u32 },
    EndInline { which: usize },
    Withdraw { uid: u32, above: u64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let uid = 0u32..5;
    let event = prop_oneof![
        4 => (uid.clone(), any::<bool>()).prop_map(|(uid, waits)| Event::Push { uid, waits }),
        4 => Just(Event::Pop),
        2 => any::<usize>().prop_map(|which| Event::End { which }),
        2 => any::<(usize, bool)>().prop_map(|(which, asleep)| Event::Sleep { which, asleep }),
        1 => uid.clone().prop_map(|uid| Event::BeginInline { uid }),
        1 => any::<usize>().prop_map(|which| Event::EndInline { which }),
        1 => (uid, 0u64..60).prop_map(|(uid, above)| Event::Withdraw { uid, above }),
    ];
    proptest::collection::vec(event, 0..120)
}

/// A queue, and everything that was taken out of it.
struct Driven {
    queue: Queue<u64>,
    limits: Limits,
    running: Vec<(Ticket, u64)>,
    inline: Vec<AccountId>,
    waiting: usize,
    pushed: u64,
    /// The last job of each account and class that was taken out.
    last: Vec<((AccountId, Class), u64)>,
}

impl Driven {
    fn happen(&mut self, event: Event) {
        let used = Duration::from_millis(1);
        match event {
            Event::Push { uid, waits } => {
                let class = match waits {
                    true => Class::WaitsForProcess,
                    false => Class::Plain,
                };
                self.queue.push(AccountId::of_uid(uid), class, self.pushed);
                self.pushed += 1;
                self.waiting += 1;
            }
            Event::Pop => {
                let ready = self.queue.is_ready_for(self.limits.threads);
                let popped = self.queue.pop(self.limits.threads);
                assert_eq!(popped.is_some(), ready);
                self.waiting -= usize::from(ready);
                if let Some((ticket, job)) = popped {
                    self.check_start(ticket);
                    self.check_order(ticket, job);
                    self.running.push((ticket, job));
                }
            }
            Event::End { which } if !self.running.is_empty() => {
                let (ticket, _) = self.running.swap_remove(which % self.running.len());
                self.queue.end(ticket, used);
            }
            Event::Sleep { which, asleep } if !self.running.is_empty() => {
                let which = which % self.running.len();
                self.queue.set_asleep(&mut self.running[which].0, asleep);
            }
            Event::BeginInline { uid } => {
                let account = AccountId::of_uid(uid);
                if self.queue.begin_inline(account) {
                    self.inline.push(account);
                }
            }
            Event::EndInline { which } if !self.inline.is_empty() => {
                let account = self.inline.swap_remove(which % self.inline.len());
                self.queue.end_inline(account, used);
            }
            Event::Withdraw { uid, above } => {
                let account = AccountId::of_uid(uid);
                let withdrawn = self.queue.withdraw(account, |job| *job > above);
                assert!(withdrawn.iter().all(|job| *job > above));
                self.waiting -= withdrawn.len();
            }
            Event::End { .. } | Event::Sleep { .. } | Event::EndInline { .. } => {}
        }
    }

    /// Jobs of one account and class run in the order in which they came.
    fn check_order(&mut self, ticket: Ticket, job: u64) {
        let key = (ticket.account, ticket.class);
        self.last.retain(|(other, before)| {
            assert!(*other != key || *before < job);
            *other != key
        });
        self.last.push((key, job));
    }

    /// A job may start only within the bounds. Jobs that wake up later may exceed them.
    fn check_start(&self, ticket: Ticket) {
        let Limits {
            processors,
            threads,
            ..
        } = self.limits;
        let awake = || self.running.iter().filter(|(ticket, _)| !ticket.asleep);
        let own = awake().filter(|(other, _)| other.account == ticket.account);
        let own = own.count();
        assert!(own < processors);
        let above = match ticket.account.is_host_root() {
            true => FOR_NEWCOMERS + FOR_ROOT,
            false => FOR_NEWCOMERS,
        };
        assert!(awake().count() < processors + if own == 0 { above } else { 0 });
        assert!(self.running.len() < threads);
        let waits = |ticket: &Ticket| ticket.class == Class::WaitsForProcess;
        let waiters = self.running.iter().filter(|(ticket, _)| waits(ticket));
        assert!(!waits(&ticket) || waiters.count() + 1 < threads);
    }

    fn check_counts(&self) {
        assert_eq!(self.queue.waiting(), self.waiting);
        assert!(self.inline.len() <= self.limits.inline);
    }

    /// Ends everything that runs, and runs everything that waits.
    fn drain(&mut self) {
        loop {
            for (ticket, _) in self.running.drain(..) {
                self.queue.end(ticket, Duration::ZERO);
            }
            for account in self.inline.drain(..) {
                self.queue.end_inline(account, Duration::ZERO);
            }
            if self.waiting == 0 {
                break;
            }
            let before = self.waiting;
            self.happen(Event::Pop);
            assert!(self.waiting < before, "a job that never runs");
        }
        assert!(self.queue.accounts.is_empty(), "an account is kept");
    }
}

proptest! {
    #[test]
    fn every_job_runs_in_order_and_within_the_bounds(
        events in events(),
        processors in 1usize..4,
        threads in 2usize..20,
        inline in 0usize..3,
    ) {
        let limits = Limits { processors, threads, inline };
        let mut driven = Driven {
            queue: Queue::new(limits),
            limits,
            running: Vec::new(),
            inline: Vec::new(),
            waiting: 0,
            pushed: 0,
            last: Vec::new(),
        };
        for event in events {
            driven.happen(event);
            driven.check_counts();
        }
        driven.drain();
    }
}
