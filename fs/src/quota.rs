//! What one user may take of the daemon: open handles, and bytes kept for readers.
//!
//! Root has no bounds. A user past its own is refused, and nobody else notices.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bounds of each user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// Files and directories open at once.
    pub handles: u64,
    /// Bytes of tables kept for readers at once.
    pub bytes: u64,
}

impl Default for Quota {
    fn default() -> Quota {
        Quota {
            handles: 1024,
            bytes: 128 * 1024 * 1024,
        }
    }
}

/// Whom work, handles and memory are charged to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AccountId {
    uid: u32,
}

impl AccountId {
    /// The host's root, the only account without bounds.
    pub const HOST_ROOT: AccountId = AccountId { uid: 0 };

    /// The account of a user, by its id in the initial user namespace.
    pub const fn of_uid(uid: u32) -> AccountId {
        AccountId { uid }
    }

    /// Whether this is the host's root.
    pub fn is_host_root(self) -> bool {
        self == AccountId::HOST_ROOT
    }
}

/// What one user has taken.
#[derive(Debug)]
pub struct Account {
    id: AccountId,
    max_bytes: AtomicU64,
    handles: AtomicU64,
    bytes: AtomicU64,
}

/// The accounts of the users who have something open.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// Held to look an account up and take a seat alone.
    accounts: Mutex<HashMap<AccountId, Arc<Account>>>,
    /// Handles of all users together.
    capacity: u64,
}

/// One open handle, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat(Option<Arc<Account>>);

/// Bytes of an account, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Accounts {
    /// Accounts of users who may have so many handles together. None may have more
    /// than are left: however many users collude, one more finds some.
    pub(crate) fn new(capacity: u64) -> Accounts {
        Accounts {
            accounts: Mutex::default(),
            capacity,
        }
    }

    /// A seat for one more handle of a user; none past its quota.
    pub(crate) fn open(&self, id: AccountId, quota: Quota) -> Option<Seat> {
        if id.is_host_root() {
            return Some(Seat(None));
        }
        let mut accounts = self.accounts.lock();
        // Who has nothing open needs no account.
        accounts.retain(|_, account| Arc::strong_count(account) > 1);
        let taken = |account: &Arc<Account>| account.handles.load(Ordering::Relaxed);
        let left = self
            .capacity
            .saturating_sub(accounts.values().map(taken).sum());
        let new = || {
            Arc::new(Account {
                id,
                max_bytes: AtomicU64::default(),
                handles: AtomicU64::default(),
                bytes: AtomicU64::default(),
            })
        };
        let account = accounts.entry(id).or_insert_with(new);
        account.max_bytes.store(quota.bytes, Ordering::Relaxed);
        // Seats are only ever taken under the lock.
        if taken(account) >= quota.handles.min(left) {
            return None;
        }
        account.handles.fetch_add(1, Ordering::Relaxed);
        Some(Seat(Some(Arc::clone(account))))
    }
}

impl Seat {
    /// The account that a handle is kept on; none of root.
    pub(crate) fn account(&self) -> Option<Arc<Account>> {
        self.0.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(account) = &self.0 {
            account.handles.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Account {
    /// Whose it is.
    pub(crate) fn id(&self) -> AccountId {
        self.id
    }

    /// Whether bytes may still be kept.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < self.max_bytes.load(Ordering::Relaxed)
    }

    /// Takes bytes that are given back together; none past the quota.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        self.has_room().then(|| self.keep(bytes))
    }

    /// Takes bytes that are there already, past the quota or not.
    pub(crate) fn keep(self: &Arc<Self>, bytes: usize) -> Charge {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Charge {
            account: Arc::clone(self),
            bytes,
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account
            .bytes
            .fetch_sub(self.bytes as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_past_its_quota_is_alone_with_it() {
        let quota = Quota {
            handles: 2,
            bytes: 10,
        };
        let accounts = Accounts::new(100);
        let first = accounts.open(AccountId::of_uid(7), quota).unwrap();
        let _second = accounts.open(AccountId::of_uid(7), quota).unwrap();
        assert!(accounts.open(AccountId::of_uid(7), quota).is_none());
        assert!(accounts.open(AccountId::of_uid(8), quota).is_some());
        drop(first);
        let third = accounts.open(AccountId::of_uid(7), quota).unwrap();
        assert!(accounts.open(AccountId::of_uid(7), quota).is_none());

        let account = third.account().unwrap();
        let most = account.keep(9);
        let _last = account.keep(1);
        assert!(!account.has_room());
        assert!(
            accounts
                .open(AccountId::of_uid(8), quota)
                .unwrap()
                .account()
                .unwrap()
                .has_room()
        );
        drop(most);
        assert!(account.has_room());
    }

    #[test]
    fn root_has_no_bounds_and_no_account() {
        let quota = Quota {
            handles: 0,
            bytes: 0,
        };
        assert!(
            Accounts::new(100)
                .open(AccountId::HOST_ROOT, quota)
                .unwrap()
                .account()
                .is_none()
        );
    }

    #[test]
    fn accounts_go_with_what_was_open() {
        let accounts = Accounts::new(100);
        for uid in 1..1000 {
            drop(accounts.open(AccountId::of_uid(uid), Quota::default()));
        }
        assert!(accounts.accounts.lock().len() <= 1);
    }

    #[test]
    fn users_who_collude_leave_some_to_the_next() {
        let quota = Quota {
            handles: 1000,
            bytes: 0,
        };
        let accounts = Accounts::new(1000);
        let mut taken = Vec::new();
        for uid in 1..=9 {
            while let Some(seat) = accounts.open(AccountId::of_uid(uid), quota) {
                taken.push(seat);
            }
        }
        assert!(taken.len() < 1000);
        assert!(accounts.open(AccountId::of_uid(10), quota).is_some());
        drop(taken);
    }
}
