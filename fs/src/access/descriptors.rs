//! Descriptors that are reserved for the daemon itself and for the host's root.
//!
//! Each open table takes one or more descriptors of the daemon, and the daemon's number of
//! descriptors is limited. The kernel hands out the lowest free number, so the number of
//! the next descriptor tells how few are left without counting them.

use crate::access::quota::AccountId;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, getrlimit};
use std::os::fd::{AsRawFd, OwnedFd};

/// Descriptors reserved for the daemon, its control file included: commands and lookups
/// need them.
const FOR_DAEMON: u64 = 32;

/// Descriptors reserved for the host's root besides: one in `FOR_ROOT_OF`, but at least
/// `FOR_ROOT`.
const FOR_ROOT_OF: u64 = 8;
const FOR_ROOT: u64 = 64;

/// The descriptors of this process.
pub(crate) struct Descriptors {
    null: OwnedFd,
}

impl Descriptors {
    /// # Errors
    /// The kernel's errno if /dev/null cannot be opened.
    pub(crate) fn new() -> rustix::io::Result<Descriptors> {
        let null = rustix::fs::open("/dev/null", OFlags::CLOEXEC, Mode::empty())?;
        Ok(Descriptors { null })
    }

    /// Whether an account may take one more descriptor.
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
    // With a very low limit the reserve would leave nobody anything: then half is for
    // everybody.
    next < limit.saturating_sub(kept).max(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_reserved_for_root_and_some_for_the_daemon() {
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
