//! The memory that is kept for readers, bounded for the daemon as a whole.
//!
//! No reader has a fixed part of it. The more readers there are, the less the daemon keeps
//! for each: first the bytes behind each reader shrink, then those ahead of it. A reader is
//! refused only if not even the least is left for it. [`crate::access::quota`] counts the
//! bytes of each account; this module decides how many it may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that the daemon may take if the mount does not set a limit.
pub const DEFAULT: u64 = 256 * 1024 * 1024;

/// The lowest limit that a mount may set, in bytes.
pub const LEAST: u64 = 32 * 1024 * 1024;

/// Bytes kept behind the furthest read so that a seek back finds the same bytes: this many
/// with few readers, never fewer than [`LEAST_BEHIND`].
pub(crate) const MOST_BEHIND: u64 = 1024 * 1024;

/// Bytes kept behind the furthest read however many readers there are.
pub(crate) const LEAST_BEHIND: u64 = 32 * 1024;

/// Maximum bytes produced ahead of a reader before its pass pauses.
pub(crate) const MOST_AHEAD: u64 = 1024 * 1024;

/// The least that one reader takes: [`LEAST_BEHIND`], and one step of its pass.
pub(crate) const LEAST_READER: u64 = LEAST_BEHIND + 64 * 1024;

/// The memory of all readers together.
#[derive(Debug)]
pub(crate) struct Memory {
    size: u64,
    used: AtomicU64,
}

/// The bytes that a reader may keep now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Share {
    /// Bytes behind its furthest read.
    pub(crate) behind: u64,
    /// Bytes ahead of its furthest read.
    pub(crate) ahead: u64,
}

impl Memory {
    /// The memory of a daemon that may take `limit` bytes. The other half is left for
    /// everything else: programs, threads, batches in progress, and the little that readers
    /// beyond their share need to make progress.
    pub(crate) fn new(limit: u64) -> Arc<Memory> {
        Arc::new(Memory {
            size: limit / 2,
            used: AtomicU64::new(0),
        })
    }

    /// Memory without a limit.
    pub(crate) fn unbounded() -> Arc<Memory> {
        Memory::new(u64::MAX)
    }

    pub(crate) fn take(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes that the host's root may hold now, `own` of which it already holds.
    pub(crate) fn allowance_of_root(&self, own: u64) -> u64 {
        self.size.saturating_sub(self.others(own))
    }

    /// Bytes that another account may hold now, `own` of which it already holds. It is
    /// never more than what the account leaves free, so that a new account finds some and
    /// an eighth of everything stays for root.
    pub(crate) fn allowance(&self, own: u64) -> u64 {
        (self.size / 8 * 7).saturating_sub(self.others(own)) / 2
    }

    fn others(&self, own: u64) -> u64 {
        self.used.load(Ordering::Relaxed).saturating_sub(own)
    }
}

impl Share {
    /// Whether the share is as much as a reader can use. Then buffers may lie idle until
    /// they are used again.
    pub(crate) fn is_plenty(self) -> bool {
        self.ahead == MOST_AHEAD
    }

    /// The share of each of `readers` in an allowance, `used` bytes of which they hold.
    ///
    /// The daemon can take back the bytes behind a reader when others come, but not those
    /// ahead of it. So it makes far fewer ahead: if each of n readers in turn makes an
    /// eighth of the n-th part and then stops, all of them together hold less than the
    /// whole.
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

/// Whether so much of an allowance is used that readers must give back the bytes behind
/// them.
pub(crate) fn is_tight(allowance: u64, used: u64) -> bool {
    used >= allowance / 4 * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_readers_get_all_they_can_use_and_many_share() {
        let allowance = DEFAULT / 2;
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
    fn the_last_account_still_finds_some() {
        let memory = Memory::new(DEFAULT);
        for _ in 0..5 {
            let allowance = memory.allowance(0);
            assert!(allowance > LEAST_READER);
            memory.take(allowance);
        }
        assert!(memory.allowance_of_root(0) >= DEFAULT / 2 / 8);
    }
}
