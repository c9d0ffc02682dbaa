//! The sender of one request, with the facts about its thread.

use crate::access::quota::AccountId;
use crate::error::{Failure, Result};
use iterfs_mapping::contract::Callers;
use iterfs_mapping::{Caller, User};
use std::sync::OnceLock;

/// The thread and user that a FUSE request names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sender {
    /// Thread id in the daemon's pid namespace; 0 if the thread is not visible there.
    pub thread: u32,
    /// The user that the thread acts as, in the daemon's user namespace.
    pub uid: u32,
    /// The group that the thread acts as, in the same user namespace. A request does not
    /// carry the supplementary groups; the kernel has already checked them against the mode
    /// bits (`default_permissions`).
    pub gid: u32,
}

/// A sender with the facts about its thread, which the daemon reads once, when the request
/// arrives.
#[derive(Clone, Debug)]
pub struct Requester {
    sender: Sender,
    caller: Result<Caller>,
    account: AccountId,
    /// The user and the groups are read only if the policy asks for them, and then kept.
    user: OnceLock<User>,
    groups: OnceLock<Box<[u32]>>,
}

impl Requester {
    /// Reads the facts about the sender of a request, which waits for its reply. If its
    /// thread cannot be identified, every request of it is refused.
    pub fn identify(callers: &(impl Callers + ?Sized), sender: Sender) -> Requester {
        let caller = callers.identify(sender.thread);
        let tenant = caller.as_ref().ok();
        let tenant = tenant.and_then(|caller| callers.tenant(caller, sender.uid).ok());
        Requester {
            sender,
            caller: caller.map_err(Failure::from),
            account: tenant.map_or(AccountId::of_unknown(sender.uid), AccountId::of),
            user: OnceLock::new(),
            groups: OnceLock::new(),
        }
    }

    /// The thread and its namespaces.
    ///
    /// # Errors
    /// [`Failure::Tables`] if they cannot be read.
    pub fn caller(&self) -> Result<Caller> {
        self.caller.clone()
    }

    /// The real user of the thread, which in a set-user-ID program is not the user that it
    /// acts as.
    ///
    /// # Errors
    /// As [`Requester::caller`].
    pub fn user(&self, callers: &(impl Callers + ?Sized)) -> Result<User> {
        if let Some(user) = self.user.get() {
            return Ok(*user);
        }
        let user = callers.user(&self.caller()?)?;
        Ok(*self.user.get_or_init(|| user))
    }

    /// Whether the thread acts as this group or has it as a supplementary group. If the
    /// groups of a thread cannot be read, it has none.
    pub fn is_in_group(&self, callers: &(impl Callers + ?Sized), gid: u32) -> bool {
        let read = || {
            let groups = self
                .caller()
                .and_then(|caller| Ok(callers.groups(&caller)?));
            groups.unwrap_or_default().into()
        };
        self.sender.gid == gid || self.groups.get_or_init(read).contains(&gid)
    }

    /// The user that the thread acts as.
    pub fn uid(&self) -> u32 {
        self.sender.uid
    }

    /// The account that the request is charged to.
    pub fn account(&self) -> AccountId {
        self.account
    }
}
