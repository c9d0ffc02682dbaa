//! Descriptors that are kept for those who must always get some.
//!
//! Each open table is a descriptor of the daemon's or several, and the daemon has only so
//! many. The kernel gives out the lowest that is free: so the number of the next one tells
//! how few are left, without a count of them.

use crate::access::quota::AccountId;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, getrlimit};
use std::os::fd::{AsRawFd, OwnedFd};

/// Descriptors for the daemon alone, its control file included: commands, lookups.
const FOR_DAEMON: u64 = 32;

/// And for the host's root: one in so many, and not less than so many.
const FOR_ROOT_OF: u64 = 8;
const FOR_ROOT: u64 = 64;

/// The descriptors of this process.
pub(crate) struct Descriptors {
    null: OwnedFd,
}

impl Descriptors {
    /// # Errors
    /// The kernel's.
    pub(crate) fn new() -> rustix::io::Result<Descriptors> {
        let null = rustix::fs::open("/dev/null", OFlags::CLOEXEC, Mode::empty())?;
        Ok(Descriptors { null })
    }

    /// Whether an account may have one more.
    pub(crate) fn are_left_for(&self, account: AccountId) -> bool {
        let Ok(next) = rustix::io::fcntl_dupfd_cloexec(&self.null, 0) else {
            return false;
        };
        let next = next.as_raw_fd().unsigned_abs().into();
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        is_below(next, limit, account)
    }
}

fn is_below(next: u64, limit: u64, account: AccountId) -> bool {
    let kept = match account.is_host_root() {
        true => FOR_DAEMON,
        false => FOR_DAEMON + FOR_ROOT.max(limit / FOR_ROOT_OF),
    };
    // With a very low limit nobody could read anything: then half is for all.
    next < limit.saturating_sub(kept).max(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_for_root_and_some_for_nobody() {
        let (user, root) = (AccountId::of_uid(7), AccountId::HOST_ROOT);
        for limit in [200, 1024, 20_000, 1 << 30] {
            assert!(is_below(limit / 2 - 1, limit, user));
            assert!(!is_below(limit - 96, limit, user));
            assert!(is_below(limit - 96, limit, root));
            assert!(!is_below(limit - 32, limit, root));
        }
        assert!(is_below(5, 64, user));
        assert!(Descriptors::new().unwrap().are_left_for(root));
    }
}
