//! Who asks, for the length of one request.

use crate::access::quota::AccountId;
use crate::error::{Failure, Result};
use iterfs_mapping::contract::Callers;
use iterfs_mapping::{Caller, User};
use std::sync::OnceLock;

/// The thread and user that a FUSE request names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sender {
    /// Thread id in the daemon's pid namespace; 0 if the thread cannot be seen from there.
    pub thread: u32,
    /// Its user, in the daemon's user namespace.
    pub uid: u32,
    /// Its group, likewise. The kernel does not tell the supplementary groups; it has
    /// checked them against the mode bits itself (`default_permissions`).
    pub gid: u32,
}

/// A sender with the facts about its thread, which are read once, when its request arrives.
#[derive(Clone, Debug)]
pub struct Requester {
    sender: Sender,
    caller: Result<Caller>,
    account: AccountId,
    /// Both are read if the policy asks for them, and then kept.
    user: OnceLock<User>,
    groups: OnceLock<Box<[u32]>>,
}

impl Requester {
    /// Looks at the sender of a request that waits for its answer. A thread that cannot be
    /// identified is refused whatever it asks for.
    pub fn identify(callers: &(impl Callers + ?Sized), sender: Sender) -> Requester {
        let caller = callers.identify(sender.thread);
        let account = match &caller {
            Ok(caller) => callers.tenant(caller, sender.uid).map(AccountId::of),
            Err(_) => Ok(AccountId::of_unknown(sender.uid)),
        };
        Requester {
            sender,
            caller: caller.map_err(Failure::from),
            account: account.unwrap_or(AccountId::of_unknown(sender.uid)),
            user: OnceLock::new(),
            groups: OnceLock::new(),
        }
    }

    /// The thread and its namespaces.
    ///
    /// # Errors
    /// [`Failure::Tables`] if they could not be read.
    pub fn caller(&self) -> Result<Caller> {
        self.caller.clone()
    }

    /// The user that the thread really is, which is not the one it acts as in a
    /// set-user-ID program.
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

    /// Whether the group that it acts as, or a supplementary one, is this group. A thread
    /// whose groups cannot be read is in none.
    pub fn is_in_group(&self, callers: &(impl Callers + ?Sized), gid: u32) -> bool {
        let read = || {
            let groups = self
                .caller()
                .and_then(|caller| Ok(callers.groups(&caller)?));
            groups.unwrap_or_default().into()
        };
        self.sender.gid == gid || self.groups.get_or_init(read).contains(&gid)
    }

    /// The user that it acts as.
    pub fn uid(&self) -> u32 {
        self.sender.uid
    }

    /// The account that pays for what it asks.
    pub fn account(&self) -> AccountId {
        self.account
    }
}
