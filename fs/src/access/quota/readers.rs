//! The readers of an account, which share its bytes and give some back when memory is tight.

use super::Account;
use crate::access::memory::is_tight;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// After a reclaim, the account must grow by its allowance divided by this number before it
/// asks its readers again.
const RECLAIMS: u64 = 32;

/// The readers of an account for which bytes are kept.
#[derive(Default)]
pub(super) struct Readers {
    keepers: HashMap<u64, Weak<dyn Keeper>>,
    next: u64,
}

/// Keeps bytes for a reader.
pub(crate) trait Keeper: Send + Sync {
    /// Gives back the bytes beyond the reader's current share.
    fn trim(&self);
}

/// A reader's membership of its account, which ends when dropped.
#[derive(Debug)]
pub(crate) struct Member {
    account: Arc<Account>,
    number: u64,
}

impl Account {
    /// Counts a reader for which bytes will be kept.
    pub(crate) fn join(self: &Arc<Self>, keeper: Weak<dyn Keeper>) -> Member {
        let mut readers = self.readers.lock();
        let number = readers.next;
        readers.next += 1;
        readers.keepers.insert(number, keeper);
        self.reading.store(readers.count(), Ordering::Relaxed);
        Member {
            account: Arc::clone(self),
            number,
        }
    }

    /// Asks the readers to give back the bytes beyond their share, if memory is tight and
    /// they were not asked a moment ago. The caller must not hold the lock of any reader.
    pub(crate) fn reclaim(&self) {
        let (allowance, used) = (self.allowance(), self.used());
        if !is_tight(allowance, used) {
            self.reclaim_at.store(0, Ordering::Relaxed);
            return;
        }
        if used < self.reclaim_at.load(Ordering::Relaxed) {
            return;
        }
        // Keep other threads from doing the same work meanwhile.
        self.reclaim_at.store(u64::MAX, Ordering::Relaxed);
        let keepers: Vec<_> = self.readers.lock().keepers.values().cloned().collect();
        for keeper in keepers.iter().filter_map(Weak::upgrade) {
            keeper.trim();
        }
        // The readers may be unable to give back enough: do not ask again at every step.
        let next = self.used() + allowance / RECLAIMS;
        self.reclaim_at.store(next, Ordering::Relaxed);
    }
}

impl Readers {
    fn count(&self) -> u64 {
        self.keepers.len() as u64
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} readers", self.count())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut readers = self.account.readers.lock();
        readers.keepers.remove(&self.number);
        let reading = readers.count();
        self.account.reading.store(reading, Ordering::Relaxed);
    }
}
