//! What one user may take of the daemon: open handles, and bytes kept for readers.
//!
//! The host's root has no bounds of its own. A user past its own is refused, and nobody
//! else notices.

use crate::access::memory::{LEAST_READER, Memory, Share, is_tight};
use iterfs_mapping::Tenant;
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How often readers are asked to give back what they can, while the memory of an account
/// fills up.
const RECLAIMS: u64 = 32;

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
pub struct AccountId(Tenant);

impl AccountId {
    /// The host's root, the only account without bounds.
    pub const HOST_ROOT: AccountId = AccountId::of_uid(0);

    /// The account of a user of the host.
    pub const fn of_uid(uid: u32) -> AccountId {
        AccountId(Tenant {
            uid,
            container: None,
        })
    }

    /// The account of a tenant.
    pub const fn of(tenant: Tenant) -> AccountId {
        AccountId(tenant)
    }

    /// The account of a user whose namespaces cannot be told. Nobody on the host has it.
    pub const fn of_unknown(uid: u32) -> AccountId {
        AccountId(Tenant {
            uid,
            container: Some(UNKNOWN),
        })
    }

    /// Whether this is the host's root.
    pub fn is_host_root(self) -> bool {
        self == AccountId::HOST_ROOT
    }

    fn is_of(self, container: Option<u32>) -> bool {
        self.0.container == container
    }
}

/// No namespace has this inode number.
const UNKNOWN: u32 = 0;

/// What an account has taken.
#[derive(Debug)]
pub struct Account {
    id: AccountId,
    memory: Arc<Memory>,
    max_bytes: AtomicU64,
    handles: AtomicU64,
    bytes: AtomicU64,
    readers: Mutex<Readers>,
    /// How many these are.
    reading: AtomicU64,
    /// How much it had when readers last gave back what they could, and some more.
    reclaim_at: AtomicU64,
}

/// Those of an account for whom something is kept.
#[derive(Default)]
struct Readers {
    keepers: HashMap<u64, Weak<dyn Keeper>>,
    next: u64,
}

/// Keeps bytes for a reader.
pub(crate) trait Keeper: Send + Sync {
    /// Gives back what is more than its share now.
    fn trim(&self);
}

/// A reader's place among those of its account, until dropped.
#[derive(Debug)]
pub(crate) struct Member {
    account: Arc<Account>,
    number: u64,
}

/// Whether bytes may be made for a reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Room {
    /// As many as its share has.
    Enough,
    /// As many as a reader needs to get on.
    Least,
    /// None.
    None,
}

/// The accounts of those who have something open.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// Held to look an account up and take a seat alone.
    accounts: Mutex<HashMap<AccountId, Arc<Account>>>,
    root: Arc<Account>,
    /// Handles of all users together.
    capacity: u64,
    releases: Arc<Releases>,
}

/// Told when a handle is closed, for those who wait at their quota.
#[derive(Debug, Default)]
struct Releases {
    /// Handles of all accounts.
    handles: AtomicUsize,
    waiting: AtomicUsize,
    /// Held by those who wait, from counting handles until they are told.
    lock: Mutex<()>,
    told: Condvar,
}

/// One open handle, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    account: Arc<Account>,
    releases: Arc<Releases>,
}

/// Bytes of an account, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Accounts {
    /// Accounts of users who may have so many handles together, and memory. None may have
    /// more than are left: however many users collude, one more finds some.
    pub(crate) fn new(capacity: u64, memory: Arc<Memory>) -> Accounts {
        Accounts {
            accounts: Mutex::default(),
            root: Account::new(AccountId::HOST_ROOT, memory),
            capacity,
            releases: Arc::default(),
        }
    }

    /// A seat for one more handle of an account; none past its quota.
    ///
    /// The kernel tells of a close after close(2) has returned. So whoever is at its quota
    /// waits for a while for a handle of its own to be closed.
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
            let waited = self.releases.told.wait_until(&mut lock, deadline);
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
        // Who has nothing open needs no account.
        accounts.retain(|_, account| Arc::strong_count(account) > 1);
        let left = self
            .capacity
            .saturating_sub(accounts.values().map(|account| account.handles()).sum());
        let new = || Account::new(id, Arc::clone(&self.root.memory));
        let account = accounts.entry(id).or_insert_with(new);
        account.max_bytes.store(quota.bytes, Ordering::Relaxed);
        let account = Arc::clone(account);
        // Root of a container can be as many users as it likes.
        let container = id.0.container;
        let together = match container {
            Some(_) => {
                let inside = accounts.values().filter(|other| other.id.is_of(container));
                inside.map(|other| other.handles()).sum()
            }
            None => account.handles(),
        };
        // Seats are only ever taken under the lock.
        (account.handles() < quota.handles && together < left).then(|| self.seat(&account))
    }

    /// Handles of all accounts together.
    pub(crate) fn handles(&self) -> usize {
        self.releases.handles.load(Ordering::Relaxed)
    }

    fn seat(&self, account: &Arc<Account>) -> Seat {
        self.releases.handles.fetch_add(1, Ordering::Relaxed);
        account.handles.fetch_add(1, Ordering::SeqCst);
        Seat {
            account: Arc::clone(account),
            releases: Arc::clone(&self.releases),
        }
    }
}

impl Seat {
    /// The account that a handle is kept on.
    pub(crate) fn account(&self) -> Arc<Account> {
        Arc::clone(&self.account)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.account.handles.fetch_sub(1, Ordering::SeqCst);
        self.releases.handles.fetch_sub(1, Ordering::Relaxed);
        if self.releases.waiting.load(Ordering::SeqCst) > 0 {
            // One that has counted handles and does not wait yet has the lock.
            drop(self.releases.lock.lock());
            self.releases.told.notify_all();
        }
    }
}

impl Account {
    fn new(id: AccountId, memory: Arc<Memory>) -> Arc<Account> {
        Arc::new(Account {
            id,
            memory,
            max_bytes: AtomicU64::new(u64::MAX),
            handles: AtomicU64::default(),
            bytes: AtomicU64::default(),
            readers: Mutex::default(),
            reading: AtomicU64::default(),
            reclaim_at: AtomicU64::default(),
        })
    }

    /// One that nothing bounds.
    pub fn unbounded() -> Arc<Account> {
        Account::new(AccountId::HOST_ROOT, Memory::unbounded())
    }

    /// Whose it is.
    pub(crate) fn id(&self) -> AccountId {
        self.id
    }

    fn handles(&self) -> u64 {
        self.handles.load(Ordering::SeqCst)
    }

    fn reading(&self) -> u64 {
        self.reading.load(Ordering::Relaxed)
    }

    /// Bytes that it has.
    pub(crate) fn used(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that it may have in all now.
    fn allowance(&self) -> u64 {
        let used = self.used();
        match self.id.is_host_root() {
            true => self.memory.allowance_of_root(used),
            false => {
                let max_bytes = self.max_bytes.load(Ordering::Relaxed);
                self.memory.allowance(used).min(max_bytes)
            }
        }
    }

    /// What each of its readers may keep now.
    pub(crate) fn share(&self) -> Share {
        Share::of(self.allowance(), self.used(), self.reading())
    }

    /// Whether bytes may be made for one of its readers, for whom nothing was made before
    /// if this is its first step.
    ///
    /// Those who came early may hold more than their share ahead of them, which cannot be
    /// taken back from them. That keeps nobody out: each who is let in has the least.
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

    /// Counts a reader for whom something is to be kept.
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

    /// Has readers give back what is more than their share, if memory is tight and they
    /// have not just done so. Must be called without the lock of any reader.
    pub(crate) fn reclaim(&self) {
        let (allowance, used) = (self.allowance(), self.used());
        if !is_tight(allowance, used) {
            self.reclaim_at.store(0, Ordering::Relaxed);
            return;
        }
        if used < self.reclaim_at.load(Ordering::Relaxed) {
            return;
        }
        // Another thread that comes here meanwhile need not do the same.
        self.reclaim_at.store(u64::MAX, Ordering::Relaxed);
        let keepers: Vec<_> = self.readers.lock().keepers.values().cloned().collect();
        for keeper in keepers.iter().filter_map(Weak::upgrade) {
            keeper.trim();
        }
        // What they could not give back is no reason to ask at every step.
        let next = self.used() + allowance / RECLAIMS;
        self.reclaim_at.store(next, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.memory.give_back(bytes as u64);
    }

    /// Takes bytes that are given back together; none past the quota.
    pub(crate) fn charge(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        (self.used() < self.allowance()).then(|| self.keep(bytes))
    }

    /// Takes bytes that are there already, past the quota or not.
    pub(crate) fn keep(self: &Arc<Self>, bytes: usize) -> Charge {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.memory.take(bytes as u64);
        Charge {
            account: Arc::clone(self),
            bytes,
        }
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

impl Charge {
    /// Gives back what is more than `bytes`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::memory;
    use std::thread;

    fn accounts(capacity: u64) -> Accounts {
        Accounts::new(capacity, Memory::new(memory::DEFAULT))
    }

    #[test]
    fn a_user_past_its_quota_is_alone_with_it() {
        let quota = Quota {
            handles: 2,
            bytes: 10,
        };
        let accounts = accounts(100);
        let first = accounts
            .open(AccountId::of_uid(7), quota, Duration::ZERO)
            .unwrap();
        let _second = accounts
            .open(AccountId::of_uid(7), quota, Duration::ZERO)
            .unwrap();
        assert!(
            accounts
                .open(AccountId::of_uid(7), quota, Duration::ZERO)
                .is_none()
        );
        assert!(
            accounts
                .open(AccountId::of_uid(8), quota, Duration::ZERO)
                .is_some()
        );
        drop(first);
        let third = accounts
            .open(AccountId::of_uid(7), quota, Duration::ZERO)
            .unwrap();
        assert!(
            accounts
                .open(AccountId::of_uid(7), quota, Duration::ZERO)
                .is_none()
        );

        let account = third.account();
        let most = account.keep(9);
        let _last = account.keep(1);
        assert!(account.charge(1).is_none());
        let other = accounts.open(AccountId::of_uid(8), quota, Duration::ZERO);
        assert!(other.unwrap().account().charge(1).is_some());
        drop(most);
        assert!(account.charge(1).is_some());
    }

    #[test]
    fn root_has_no_bounds_of_its_own() {
        let quota = Quota {
            handles: 0,
            bytes: 0,
        };
        let root = accounts(0).open(AccountId::HOST_ROOT, quota, Duration::ZERO);
        assert!(root.unwrap().account().charge(1).is_some());
    }

    #[test]
    fn a_handle_that_is_closed_meanwhile_is_waited_for() {
        let quota = Quota {
            handles: 1,
            bytes: 0,
        };
        let accounts = &accounts(100);
        let open = |patience| accounts.open(AccountId::of_uid(7), quota, patience);
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

    /// A reader that gives back all but some bytes when it is asked to.
    struct Trimmed(Mutex<Vec<Charge>>);

    impl Keeper for Trimmed {
        fn trim(&self) {
            self.0.lock().truncate(1);
        }
    }

    #[test]
    fn readers_give_back_before_anybody_is_refused() {
        let accounts = accounts(100);
        let seat = accounts.open(AccountId::of_uid(7), Quota::default(), Duration::ZERO);
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
    fn only_those_are_refused_for_whom_the_least_is_not_left() {
        const READERS: u64 = 10;
        let quota = Quota {
            handles: 1,
            bytes: READERS * LEAST_READER,
        };
        let accounts = accounts(100);
        let seat = accounts.open(AccountId::of_uid(7), quota, Duration::ZERO);
        let account = seat.as_ref().unwrap().account();
        let reader = Arc::new(Trimmed(Mutex::default()));
        let join = || {
            let reader: Weak<Trimmed> = Arc::downgrade(&reader);
            account.join(reader)
        };
        // However much a few of them hold.
        let _held = account.keep(1 << 30);
        let mut members = Vec::new();
        for _ in 0..READERS {
            members.push(join());
            assert_eq!(account.room(true), Room::Least);
        }
        let one_more = join();
        assert_eq!(account.room(true), Room::None);
        assert_eq!(account.room(false), Room::Least, "who was let in gets on");
        drop(one_more);
        assert_eq!(account.room(true), Room::Least);
    }

    #[test]
    fn accounts_go_with_what_was_open() {
        let accounts = accounts(100);
        for uid in 1..1000 {
            drop(accounts.open(AccountId::of_uid(uid), Quota::default(), Duration::ZERO));
        }
        assert!(accounts.accounts.lock().len() <= 1);
    }

    #[test]
    fn a_container_is_bounded_however_many_users_its_root_becomes() {
        let quota = Quota {
            handles: 10,
            bytes: 0,
        };
        let accounts = accounts(100);
        let mut taken = Vec::new();
        for uid in 0..1000 {
            let id = AccountId(Tenant {
                uid,
                container: Some(7),
            });
            assert!(!id.is_host_root());
            while let Some(seat) = accounts.open(id, quota, Duration::ZERO) {
                taken.push(seat);
            }
        }
        assert_eq!(taken.len(), 50, "half of what there is");
    }

    #[test]
    fn users_who_collude_leave_some_to_the_next() {
        let quota = Quota {
            handles: 1000,
            bytes: 0,
        };
        let accounts = accounts(1000);
        let mut taken = Vec::new();
        for uid in 1..=9 {
            while let Some(seat) = accounts.open(AccountId::of_uid(uid), quota, Duration::ZERO) {
                taken.push(seat);
            }
        }
        assert!(taken.len() < 1000);
        assert!(
            accounts
                .open(AccountId::of_uid(10), quota, Duration::ZERO)
                .is_some()
        );
        drop(taken);
    }
}
