//! Tests of names that are looked up and forgotten.

use super::*;
use crate::access::memory::Memory;
use crate::access::quota::{Accounts, Quota};
use iterfs_mapping::{Format, UserFile};
use proptest::prelude::*;
use std::thread;

struct Holder {
    questions: Arc<Questions>,
    accounts: Accounts,
}

fn holder() -> Holder {
    Holder {
        questions: Arc::default(),
        accounts: Accounts::new(1000, Memory::new(1 << 30)),
    }
}

impl Holder {
    fn look_up(&self, uid: u32, name: &str) -> Result<Asking> {
        let account = AccountId::of_uid(uid);
        let base = Base::User(UserFile {
            table: 1,
            format: Format::Text,
        });
        let query = Query::parse(name.as_bytes()).unwrap();
        let name = Name {
            account,
            base,
            name: name.into(),
        };
        let quota = Quota {
            handles: 2,
            ..Quota::default()
        };
        self.questions.look_up(name, query, None, |bytes| {
            self.accounts.charge_name(account, quota, bytes)
        })
    }
}

#[test]
fn a_name_has_one_number_until_its_last_lookup_is_taken_back() {
    let holder = holder();
    let first = holder.look_up(0, "pid=1").unwrap();
    assert_eq!(holder.look_up(0, "pid=1").unwrap(), first);
    assert!(!holder.questions.forget(first.number, 1));
    assert_eq!(holder.questions.node(first.number), Some(first));
    holder.questions.forget(first.number, 1);
    assert_eq!(holder.questions.node(first.number), None);
    let later = holder.look_up(0, "pid=1").unwrap();
    assert_ne!(later.number, first.number);
    assert_eq!(later.identity, first.identity);
}

#[test]
fn users_share_no_number_and_a_whole_file_is_of_one_lookup() {
    let holder = holder();
    let first = holder.look_up(1, "pid=1").unwrap();
    let other = holder.look_up(2, "pid=1").unwrap();
    assert_ne!(first.number, other.number);
    assert_eq!(first.identity, other.identity);
    let whole = holder.look_up(1, "whole").unwrap();
    let again = holder.look_up(1, "whole").unwrap();
    assert_ne!(whole.number, again.number);
    holder.questions.forget(whole.number, 1);
    assert_eq!(holder.questions.node(again.number), Some(again));
}

#[test]
fn a_user_holds_no_more_names_than_its_quota_and_root_does() {
    let holder = holder();
    let name = |number: usize| format!("pid={number}");
    let held: Vec<_> = (0..8)
        .map(|number| holder.look_up(7, &name(number)).unwrap())
        .collect();
    let refused = holder.look_up(7, &name(8)).unwrap_err();
    assert_eq!(refused.errno(), fuser::Errno::EMFILE);
    // A name that is held already needs no further place.
    assert!(holder.look_up(7, &name(0)).is_ok());
    assert!(holder.look_up(8, &name(8)).is_ok());
    holder.questions.forget(held[1].number, 1);
    assert!(holder.look_up(7, &name(8)).is_ok());
    for number in 0..100 {
        assert!(holder.look_up(0, &name(number)).is_ok());
    }
}

#[test]
fn names_take_bytes_of_their_account_until_they_are_forgotten() {
    let holder = Holder {
        questions: Arc::default(),
        accounts: Accounts::new(1000, Memory::new(64 * 1024)),
    };
    let mut held = Vec::new();
    let refused = loop {
        match holder.look_up(0, &format!("pid={}", held.len())) {
            Ok(asking) => held.push(asking.number),
            Err(failure) => break failure,
        }
    };
    assert_eq!(refused.errno(), fuser::Errno::ENOMEM);
    assert!((20..500).contains(&held.len()), "{}", held.len());
    for number in held {
        holder.questions.forget(number, 1);
    }
    assert_eq!(holder.questions.count(), 0);
    assert!(holder.look_up(0, "pid=1").is_ok());
}

#[test]
fn a_lookup_at_the_same_time_as_a_forget_stays_counted() {
    let holder = holder();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let found = holder.look_up(0, "pid=1").unwrap();
                    // The kernel asks about nodes that it holds.
                    assert_eq!(holder.questions.node(found.number), Some(found));
                    holder.questions.forget(found.number, 1);
                }
            });
        }
    });
    assert_eq!(holder.questions.count(), 0);
}

/// The name that becomes idle next, without waiting for longer than names are kept.
fn idle(holder: &Holder) -> String {
    let (directory, name) = holder.questions.next_idle().unwrap();
    assert_eq!(directory, Directory::User);
    name.into_string().unwrap()
}

#[test]
fn a_name_is_dropped_a_while_after_its_lookup() {
    let holder = holder();
    let since = Instant::now();
    holder.look_up(0, "pid=1").unwrap();
    holder.look_up(0, "pid=1").unwrap();
    holder.look_up(0, "pid=2").unwrap();
    assert_eq!([idle(&holder), idle(&holder)], ["pid=1", "pid=2"]);
    assert!(since.elapsed() >= idle::KEPT);
    // Looked up again, it is dropped again.
    holder.look_up(0, "pid=1").unwrap();
    assert_eq!(idle(&holder), "pid=1");
}

#[test]
fn a_name_that_is_open_is_dropped_after_its_last_close() {
    let holder = holder();
    let number = holder.look_up(0, "pid=1").unwrap().number;
    holder.questions.opened(number);
    holder.questions.opened(number);
    let other = holder.look_up(0, "pid=2").unwrap().number;
    assert_eq!(idle(&holder), "pid=2");
    holder.questions.closed(number);
    holder.questions.forget(other, 1);
    holder.questions.closed(number);
    assert_eq!(idle(&holder), "pid=1");
}

#[test]
fn names_that_are_too_many_are_dropped_early() {
    let holder = Holder {
        questions: Arc::default(),
        accounts: Accounts::new(1000, Memory::new(1 << 30)),
    };
    let since = Instant::now();
    for number in 0..idle::WAITING + 2 {
        holder.look_up(0, &format!("pid={number}")).unwrap();
    }
    let first = [idle(&holder), idle(&holder)];
    if since.elapsed() < idle::KEPT {
        assert_eq!(first, ["pid=0", "pid=1"]);
    }
}

#[test]
fn no_name_is_dropped_while_its_directory_is_searched_slowly() {
    let holder = holder();
    holder.look_up(0, "pid=1").unwrap();
    let (done, ended) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let held = &holder;
        let dropped = scope.spawn(move || {
            let name = idle(held);
            (name, ended.try_recv().is_ok())
        });
        let slow = holder.questions.slow_lookup(Directory::User);
        thread::sleep(2 * idle::KEPT);
        done.send(()).unwrap();
        drop(slow);
        assert_eq!(dropped.join().unwrap(), ("pid=1".into(), true));
    });
    assert!(holder.questions.held.lock().slow.is_empty());
}

#[test]
fn waiting_ends() {
    let holder = holder();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| holder.questions.next_idle());
        holder.questions.end();
        assert_eq!(waiting.join().unwrap(), None);
    });
}

proptest! {
    /// The kernel looks names up and takes the lookups back in any order, several at once.
    #[test]
    fn what_is_forgotten_as_often_as_it_was_looked_up_is_gone(
        steps in prop::collection::vec((0..2_u32, 0..5_usize, any::<bool>(), 1..4_u64), 0..60),
    ) {
        let names = ["pid=1", "pid=2", "pid", "whole", "pid,whole"];
        let holder = holder();
        let mut kernel: HashMap<u64, u64> = HashMap::new();
        for (uid, name, looks_up, lookups) in steps {
            if looks_up {
                if let Ok(found) = holder.look_up(uid, names[name]) {
                    *kernel.entry(found.number).or_default() += 1;
                }
            } else if let Some((number, counted)) = kernel.iter_mut().min() {
                let number = *number;
                let lookups = lookups.min(*counted);
                *counted -= lookups;
                kernel.retain(|_, counted| *counted > 0);
                holder.questions.forget(number, lookups);
            }
            prop_assert_eq!(holder.questions.count(), kernel.len());
            for number in kernel.keys() {
                prop_assert!(holder.questions.node(*number).is_some());
            }
        }
        for (number, counted) in kernel {
            holder.questions.forget(number, counted);
        }
        prop_assert_eq!(holder.questions.count(), 0);
    }
}
