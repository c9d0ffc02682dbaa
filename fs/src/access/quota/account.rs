//! One user's account: its handles and names, the bytes that it holds, and the bytes that it
//! may hold.

use super::readers::Readers;
use super::{AccountId, Quota};
use crate::access::memory::{LEAST_READER, Memory, Share};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The handles, names, bytes and readers of one account.
#[derive(Debug)]
pub struct Account {
    pub(super) id: AccountId,
    pub(super) memory: Arc<Memory>,
    max_bytes: AtomicU64,
    handles: AtomicU64,
    /// The names that ask.
    pub(super) names: AtomicU64,
    bytes: AtomicU64,
    pub(super) readers: Mutex<Readers>,
    /// The number of readers, stored under the lock of `readers` and loaded without it.
    pub(super) reading: AtomicU64,
    /// [`Account::reclaim`] does nothing while the account holds fewer bytes than this.
    pub(super) reclaim_at: AtomicU64,
}

/// Whether bytes may be made for a reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Room {
    /// As many as the reader's share.
    Enough,
    /// Only as many as the reader needs to make progress.
    Least,
    /// None.
    None,
}

/// Bytes of an account, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Account {
    pub(super) fn new(id: AccountId, memory: Arc<Memory>) -> Arc<Account> {
        Arc::new(Account {
            id,
            memory,
            max_bytes: AtomicU64::new(u64::MAX),
            handles: AtomicU64::default(),
            names: AtomicU64::default(),
            bytes: AtomicU64::default(),
            readers: Mutex::default(),
            reading: AtomicU64::default(),
            reclaim_at: AtomicU64::default(),
        })
    }

    /// An account without limits.
    pub fn unbounded() -> Arc<Account> {
        Account::new(AccountId::HOST_ROOT, Memory::unbounded())
    }

    /// An account of a user other than root in this memory.
    #[cfg(test)]
    pub(crate) fn with_memory(memory: Arc<Memory>) -> Arc<Account> {
        Account::new(AccountId::of_uid(1), memory)
    }

    /// The user that the account belongs to.
    pub(crate) fn id(&self) -> AccountId {
        self.id
    }

    pub(super) fn set_quota(&self, quota: Quota) {
        self.max_bytes.store(quota.bytes, Ordering::Relaxed);
    }

    pub(super) fn handles(&self) -> u64 {
        self.handles.load(Ordering::SeqCst)
    }

    pub(super) fn open_handle(&self) {
        self.handles.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn close_handle(&self) {
        self.handles.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn reading(&self) -> u64 {
        self.reading.load(Ordering::Relaxed)
    }

    /// Bytes that the account holds.
    pub(crate) fn used(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that the account may hold now, those that it already holds included.
    pub(super) fn allowance(&self) -> u64 {
        let used = self.used();
        match self.id.is_host_root() {
            true => self.memory.allowance_of_root(used),
            false => {
                let max_bytes = self.max_bytes.load(Ordering::Relaxed);
                self.memory.allowance(used).min(max_bytes)
            }
        }
    }

    /// Bytes that each reader of the account may keep now.
    pub(crate) fn share(&self) -> Share {
        Share::of(self.allowance(), self.used(), self.reading())
    }

    /// Whether bytes may be made for a reader of this account. `is_first_step` says that
    /// none have been made for it yet.
    ///
    /// Earlier readers may hold more than their share ahead of their position, and these
    /// bytes cannot be taken back. This locks nobody out: every reader that gets past its
    /// first step may have [`Room::Least`].
    pub(crate) fn room(&self, is_first_step: bool) -> Room {
        let (allowance, readers) = (self.allowance(), self.reading());
        if is_first_step && readers > 1 && readers * LEAST_READER > allowance {
            return Room::None;
        }
        match self.used() < allowance {
            true => Room::Enough,
            false => Room::Least,
        }
    }

    /// Takes bytes that are later given back together. Returns `None` if the account has
    /// reached its quota.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        (self.used() < self.allowance()).then(|| self.keep(bytes))
    }

    /// Counts bytes that already exist, even past the quota.
    pub(crate) fn keep(self: &Arc<Self>, bytes: usize) -> Charge {
        self.take(bytes);
        Charge {
            account: Arc::clone(self),
            bytes,
        }
    }

    fn take(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.memory.take(bytes as u64);
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.memory.give_back(bytes as u64);
    }
}

impl Charge {
    /// Takes or gives back bytes until it is of so many. Returns false if it would have to grow
    /// and the account has reached its quota.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes {
            self.reduce(bytes);
            return true;
        }
        let more = bytes - self.bytes;
        let has_room = self.account.used() + more as u64 <= self.account.allowance();
        if has_room {
            self.account.take(more);
            self.bytes = bytes;
        }
        has_room
    }

    /// Gives back all but `bytes`.
    pub(crate) fn reduce(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.bytes -= less;
        self.account.give_back(less);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.give_back(self.bytes);
    }
}
