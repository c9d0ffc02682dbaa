//! The memory that is kept for readers, bounded for the daemon as a whole.
//!
//! Nobody has a fixed part of it. The more readers there are, the less is kept for each:
//! first what lies behind them shrinks, then what is made ahead of them. Only a reader for
//! whom not even the least is left is refused. [`crate::access::quota`] counts what each account
//! has; here stands how much it may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the daemon may take if the mount does not say, in bytes.
pub const DEFAULT: u64 = 256 * 1024 * 1024;

/// The least that a mount may say.
pub const LEAST: u64 = 32 * 1024 * 1024;

/// Bytes kept behind the furthest read, so that a seek back finds the same: this much if
/// few read, never less than [`LEAST_BEHIND`].
pub(crate) const MOST_BEHIND: u64 = 1024 * 1024;

/// Bytes behind the furthest read that are kept however many read.
pub(crate) const LEAST_BEHIND: u64 = 32 * 1024;

/// Bytes produced ahead of a reader before its pass pauses, at most.
pub(crate) const MOST_AHEAD: u64 = 1024 * 1024;

/// What one reader takes at the very least: [`LEAST_BEHIND`], and a step of its pass.
pub(crate) const LEAST_READER: u64 = LEAST_BEHIND + 64 * 1024;

/// The memory of all readers together.
#[derive(Debug)]
pub(crate) struct Memory {
    size: u64,
    used: AtomicU64,
}

/// What a reader may keep now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Share {
    /// Bytes behind its furthest read.
    pub(crate) behind: u64,
    /// Bytes ahead of it.
    pub(crate) ahead: u64,
}

impl Memory {
    /// For a daemon that may take `limit` bytes. Three eighths are left to everything
    /// else: programs, threads, batches in progress, and readers who need a little more to
    /// get on.
    pub(crate) fn new(limit: u64) -> Arc<Memory> {
        Arc::new(Memory {
            size: limit / 8 * 5,
            used: AtomicU64::new(0),
        })
    }

    /// Without a bound.
    pub(crate) fn unbounded() -> Arc<Memory> {
        Memory::new(u64::MAX)
    }

    pub(crate) fn take(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What the host's root may have in all, which has `own` of it now.
    pub(crate) fn allowance_of_root(&self, own: u64) -> u64 {
        self.size.saturating_sub(self.others(own))
    }

    /// What another account may have in all: never more than the others leave after it, so
    /// that one more account finds some, and root an eighth of everything.
    pub(crate) fn allowance(&self, own: u64) -> u64 {
        (self.size / 8 * 7).saturating_sub(self.others(own)) / 2
    }

    fn others(&self, own: u64) -> u64 {
        self.used.load(Ordering::Relaxed).saturating_sub(own)
    }
}

impl Share {
    /// Whether it is as much as a reader can use, so that memory may lie idle, to be used
    /// again.
    pub(crate) fn is_plenty(self) -> bool {
        self.ahead == MOST_AHEAD
    }

    /// The share of each of `readers` in an allowance of which they have `used`.
    ///
    /// What lies behind a reader can be taken back from it when others come; what lies
    /// ahead of it cannot. So much less is made ahead: if each of n readers in turn makes an
    /// eighth of the n-th part and then stops, all of them have less than the whole.
    pub(crate) fn of(allowance: u64, used: u64, readers: u64) -> Share {
        let part = allowance / readers.max(1);
        Share {
            behind: (part / 2).clamp(LEAST_BEHIND, MOST_BEHIND),
            ahead: match is_tight(allowance, used) {
                true => 0,
                false => (part / 8).min(MOST_AHEAD),
            },
        }
    }
}

/// Whether so much of an allowance is used that readers must give back what lies behind
/// them.
pub(crate) fn is_tight(allowance: u64, used: u64) -> bool {
    used >= allowance / 4 * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_readers_have_all_they_can_use_and_many_share() {
        let allowance = DEFAULT / 8 * 5;
        let of = |readers| Share::of(allowance, 0, readers);
        let most = Share {
            behind: MOST_BEHIND,
            ahead: MOST_AHEAD,
        };
        assert_eq!((of(0), of(16)), (most, most));
        let mut ahead = 0;
        for readers in 1..=1000 {
            let Share { behind, .. } = of(readers);
            ahead += of(readers).ahead;
            assert!(behind * readers <= allowance, "{readers}");
        }
        assert!(
            ahead < allowance / 4 * 3,
            "{ahead} ahead of readers that stopped"
        );
        assert_eq!(Share::of(allowance, allowance, 1).ahead, 0);
        assert_eq!(of(1_000_000).behind, LEAST_BEHIND);
    }

    #[test]
    fn whoever_comes_last_finds_some() {
        let memory = Memory::new(DEFAULT);
        for _ in 0..5 {
            let allowance = memory.allowance(0);
            assert!(allowance > LEAST_READER);
            memory.take(allowance);
        }
        assert!(memory.allowance_of_root(0) >= DEFAULT / 8 * 5 / 8);
    }
}
