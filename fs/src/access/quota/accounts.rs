//! The accounts of all users, and the handles that each has open.

use super::{Account, AccountId, Quota};
use crate::access::memory::Memory;
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The accounts of the users who have something open or hold a name that asks.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// Held only to look up an account and take a seat.
    accounts: Mutex<HashMap<AccountId, Arc<Account>>>,
    root: Arc<Account>,
    /// Maximum number of handles of all users other than root together.
    capacity: u64,
    releases: Arc<Releases>,
}

/// Wakes the callers that wait at their quota when a handle is closed.
#[derive(Debug, Default)]
struct Releases {
    /// Open handles of all accounts.
    handles: AtomicUsize,
    waiting: AtomicUsize,
    /// A waiting caller holds this from counting handles until it waits on `closed`.
    lock: Mutex<()>,
    closed: Condvar,
}

/// One open handle, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    account: Arc<Account>,
    releases: Arc<Releases>,
}

impl Accounts {
    /// Accounts of users who together may have `capacity` handles and this memory. An
    /// account, or all accounts of one container together, never takes more handles than it
    /// leaves free: however many users collude, one more user finds some.
    pub(crate) fn new(capacity: u64, memory: Arc<Memory>) -> Accounts {
        Accounts {
            accounts: Mutex::default(),
            root: Account::new(AccountId::HOST_ROOT, memory),
            capacity,
            releases: Arc::default(),
        }
    }

    /// Takes a seat for one more handle of an account. Returns `None` past its quota.
    ///
    /// The kernel reports a close only after close(2) has returned, so a caller at its
    /// quota waits up to `patience` for one of its handles to be closed.
    pub(crate) fn open(&self, id: AccountId, quota: Quota, patience: Duration) -> Option<Seat> {
        if id.is_host_root() {
            return Some(self.seat(&self.root));
        }
        if let Some(seat) = self.try_open(id, quota) {
            return Some(seat);
        }
        let deadline = Instant::now() + patience;
        self.releases.waiting.fetch_add(1, Ordering::SeqCst);
        let mut lock = self.releases.lock.lock();
        let seat = loop {
            if let Some(seat) = self.try_open(id, quota) {
                break Some(seat);
            }
            let waited = self.releases.closed.wait_until(&mut lock, deadline);
            if waited.timed_out() {
                break self.try_open(id, quota);
            }
        };
        drop(lock);
        self.releases.waiting.fetch_sub(1, Ordering::SeqCst);
        seat
    }

    fn try_open(&self, id: AccountId, quota: Quota) -> Option<Seat> {
        let mut accounts = self.accounts.lock();
        let account = self.find(&mut accounts, id, quota);
        let left = self
            .capacity
            .saturating_sub(accounts.values().map(|account| account.handles()).sum());
        // The root of a container can become any number of users: count them together.
        let container = id.container();
        let together = match container {
            Some(_) => {
                let inside = accounts
                    .values()
                    .filter(|other| other.id.container() == container);
                inside.map(|other| other.handles()).sum()
            }
            None => account.handles(),
        };
        // Handles are opened only under the lock of `accounts`, so the counts hold.
        (account.handles() < quota.handles && together < left).then(|| self.seat(&account))
    }

    /// The account of a user, new if the user has nothing open.
    pub(super) fn account(&self, id: AccountId, quota: Quota) -> Arc<Account> {
        if id.is_host_root() {
            return Arc::clone(&self.root);
        }
        let mut accounts = self.accounts.lock();
        self.find(&mut accounts, id, quota)
    }

    fn find(
        &self,
        accounts: &mut HashMap<AccountId, Arc<Account>>,
        id: AccountId,
        quota: Quota,
    ) -> Arc<Account> {
        // Forget the accounts that have nothing open.
        accounts.retain(|_, account| Arc::strong_count(account) > 1);
        let new = || Account::new(id, Arc::clone(&self.root.memory));
        let account = accounts.entry(id).or_insert_with(new);
        account.set_quota(quota);
        Arc::clone(account)
    }

    /// Open handles of all accounts together.
    pub(crate) fn handles(&self) -> usize {
        self.releases.handles.load(Ordering::Relaxed)
    }

    /// Number of accounts, those with nothing open included.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.accounts.lock().len()
    }

    fn seat(&self, account: &Arc<Account>) -> Seat {
        self.releases.handles.fetch_add(1, Ordering::Relaxed);
        account.open_handle();
        Seat {
            account: Arc::clone(account),
            releases: Arc::clone(&self.releases),
        }
    }
}

impl Seat {
    /// The account that the handle is charged to.
    pub(crate) fn account(&self) -> Arc<Account> {
        Arc::clone(&self.account)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.account.close_handle();
        self.releases.handles.fetch_sub(1, Ordering::Relaxed);
        if self.releases.waiting.load(Ordering::SeqCst) > 0 {
            // A caller that counted handles before this close holds the lock until it waits.
            drop(self.releases.lock.lock());
            self.releases.closed.notify_all();
        }
    }
}
