//! The limits on each user of the daemon: open handles, and bytes kept for readers.
//!
//! An [`AccountId`] names the account that a caller is charged to. [`Accounts`] counts the
//! open handles, and an [`Account`] counts the bytes that are kept for its readers. The
//! host's root has no limits of its own. When another user reaches a limit, the daemon
//! refuses that user alone; nobody else notices.

mod account;
mod accounts;
mod names;
mod readers;
#[cfg(test)]
mod tests;

pub use self::account::Account;
pub(crate) use self::account::{Charge, Room};
pub(crate) use self::accounts::{Accounts, Seat};
pub(crate) use self::names::NameCharge;
pub(crate) use self::readers::{Keeper, Member};
use iterfs_mapping::Tenant;

/// The limits of each user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// Maximum number of files and directories open at once.
    pub handles: u64,
    /// Maximum number of bytes of tables kept for readers at once.
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

/// The account that work, handles and memory are charged to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct AccountId(Tenant);

impl AccountId {
    /// The host's root, the only account without limits.
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

    /// The account of a user whose namespaces cannot be read. No user of the host shares it.
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

    fn container(self) -> Option<u32> {
        self.0.container
    }
}

/// No namespace has this inode number.
const UNKNOWN: u32 = 0;
