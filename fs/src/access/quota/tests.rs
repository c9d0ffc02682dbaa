use super::*;
use crate::access::memory::{self, LEAST_READER, Memory};
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

fn accounts(capacity: u64) -> Accounts {
    Accounts::new(capacity, Memory::new(memory::DEFAULT))
}

/// A quota of this many handles and no bytes.
fn quota_of(handles: u64) -> Quota {
    Quota { handles, bytes: 0 }
}

/// Opens a handle without waiting for another one to be closed.
fn open(accounts: &Accounts, id: AccountId, quota: Quota) -> Option<Seat> {
    accounts.open(id, quota, Duration::ZERO)
}

/// Opens handles of each account until it is refused.
fn open_all(
    accounts: &Accounts,
    ids: impl IntoIterator<Item = AccountId>,
    quota: Quota,
) -> Vec<Seat> {
    let mut taken = Vec::new();
    for id in ids {
        while let Some(seat) = open(accounts, id, quota) {
            taken.push(seat);
        }
    }
    taken
}

#[test]
fn a_user_past_its_quota_is_refused_alone() {
    let quota = Quota {
        handles: 2,
        bytes: 10,
    };
    let (user, other) = (AccountId::of_uid(7), AccountId::of_uid(8));
    let accounts = accounts(100);
    let first = open(&accounts, user, quota).unwrap();
    let _second = open(&accounts, user, quota).unwrap();
    assert!(open(&accounts, user, quota).is_none());
    assert!(open(&accounts, other, quota).is_some());
    drop(first);
    let third = open(&accounts, user, quota).unwrap();
    assert!(open(&accounts, user, quota).is_none());

    let account = third.account();
    let most = account.keep(9);
    let _last = account.keep(1);
    assert!(account.charge(1).is_none());
    let other = open(&accounts, other, quota).unwrap();
    assert!(other.account().charge(1).is_some());
    drop(most);
    assert!(account.charge(1).is_some());
}

#[test]
fn root_has_no_limits_of_its_own() {
    let root = open(&accounts(0), AccountId::HOST_ROOT, quota_of(0));
    assert!(root.unwrap().account().charge(1).is_some());
}

#[test]
fn an_open_waits_for_a_handle_to_be_closed() {
    let accounts = &accounts(100);
    let open = |patience| accounts.open(AccountId::of_uid(7), quota_of(1), patience);
    for _ in 0..1000 {
        let first = open(Duration::ZERO).unwrap();
        thread::scope(|scope| {
            let second = scope.spawn(|| open(Duration::from_secs(60)).is_some());
            drop(first);
            assert!(second.join().unwrap());
        });
    }
    let _held = open(Duration::ZERO).unwrap();
    assert!(open(Duration::from_millis(1)).is_none());
}

/// A reader that gives back all but its first charge when asked.
struct Trimmed(Mutex<Vec<Charge>>);

impl Keeper for Trimmed {
    fn trim(&self) {
        self.0.lock().truncate(1);
    }
}

#[test]
fn readers_give_bytes_back_before_anybody_is_refused() {
    let accounts = accounts(100);
    let seat = open(&accounts, AccountId::of_uid(7), Quota::default());
    let account = seat.as_ref().unwrap().account();
    let charges = || Mutex::new(vec![account.keep(1), account.keep(60 << 20)]);
    let readers = [(); 4].map(|()| Arc::new(Trimmed(charges())));
    let members = readers.each_ref().map(|reader| {
        let reader: Weak<Trimmed> = Arc::downgrade(reader);
        account.join(reader)
    });
    assert_eq!(account.room(false), Room::Least);
    account.reclaim();
    assert_eq!(account.used(), 4);
    assert_eq!(account.room(false), Room::Enough);
    drop((readers, members));
    assert_eq!((account.used(), account.reading()), (0, 0));
}

#[test]
fn a_reader_is_refused_only_if_the_least_is_not_left_for_it() {
    const READERS: u64 = 10;
    let quota = Quota {
        handles: 1,
        bytes: READERS * LEAST_READER,
    };
    let accounts = accounts(100);
    let seat = open(&accounts, AccountId::of_uid(7), quota);
    let account = seat.as_ref().unwrap().account();
    let reader = Arc::new(Trimmed(Mutex::default()));
    let join = || {
        let reader: Weak<Trimmed> = Arc::downgrade(&reader);
        account.join(reader)
    };
    // The account already holds far more than its quota.
    let _held = account.keep(1 << 30);
    let mut members = Vec::new();
    for _ in 0..READERS {
        members.push(join());
        assert_eq!(account.room(true), Room::Least);
    }
    let one_more = join();
    assert_eq!(account.room(true), Room::None);
    assert_eq!(
        account.room(false),
        Room::Least,
        "a reader past its first step makes progress"
    );
    drop(one_more);
    assert_eq!(account.room(true), Room::Least);
}

#[test]
fn accounts_with_nothing_open_are_forgotten() {
    let accounts = accounts(100);
    for uid in 1..1000 {
        drop(open(&accounts, AccountId::of_uid(uid), Quota::default()));
    }
    assert!(accounts.count() <= 1);
}

#[test]
fn a_container_is_bounded_however_many_users_its_root_becomes() {
    let id = |uid| {
        AccountId::of(Tenant {
            uid,
            container: Some(7),
        })
    };
    assert!((0..1000).map(id).all(|id| !id.is_host_root()));
    let accounts = accounts(100);
    let taken = open_all(&accounts, (0..1000).map(id), quota_of(10));
    assert_eq!(taken.len(), 50, "half of the capacity");
}

#[test]
fn users_who_collude_leave_some_handles_to_the_next() {
    let accounts = accounts(1000);
    let taken = open_all(&accounts, (1..=9).map(AccountId::of_uid), quota_of(1000));
    assert!(taken.len() < 1000);
    assert!(open(&accounts, AccountId::of_uid(10), quota_of(1000)).is_some());
}
