//! Facts about the thread that sent a request.

use crate::caller::{Caller, Tenant, User};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

/// A caller that may have exited.
pub trait Held: Send + Sync {
    /// Whether the same thread is still there, in the same namespaces. Then everything holds
    /// that was found out through its thread id since it was held.
    fn is_there(&self) -> bool;
}

/// Identifies callers.
///
/// A thread that waits for the reply to its request cannot exit, so facts about it hold while
/// the request is served, but no longer.
pub trait Callers: Send + Sync {
    /// The daemon itself, which sees everything as the host does.
    fn daemon(&self) -> Caller;

    /// The caller with this thread id in the daemon's pid namespace.
    ///
    /// # Errors
    /// [`Error::Caller`] if its namespaces cannot be read; always for 0, which stands for
    /// a caller in a pid namespace that the daemon cannot see into.
    fn identify(&self, thread: u32) -> Result<Caller>;

    /// Keeps hold of a caller, so that it can be asked later whether facts about it still hold.
    ///
    /// # Errors
    /// [`Error::Caller`] if the caller has no thread in the daemon's pid namespace.
    fn hold(&self, caller: &Caller) -> Result<Box<dyn Held>>;

    /// The tenant whose quota a caller uses when it acts as a user.
    ///
    /// # Errors
    /// [`Error::Caller`] if it is in a container and its namespaces cannot be read.
    fn tenant(&self, caller: &Caller, uid: u32) -> Result<Tenant>;

    /// The user that a caller is, and its rights over other processes.
    ///
    /// # Errors
    /// [`Error::Caller`] if its status cannot be read.
    fn user(&self, caller: &Caller) -> Result<User>;

    /// The supplementary groups of a caller.
    ///
    /// # Errors
    /// [`Error::Caller`] if its status cannot be read.
    fn groups(&self, caller: &Caller) -> Result<Vec<u32>>;

    /// Whether a caller has the file with this inode number open. Looks at a few hundred of its
    /// descriptors at most, so that a caller with many cannot keep the daemon busy.
    ///
    /// # Errors
    /// [`Error::Caller`] if its descriptors cannot be read.
    fn has_open(&self, caller: &Caller, inode: u64) -> Result<bool>;

    /// Whether this thread sent a read for which it does not itself wait, through io_uring or
    /// Linux AIO. False if that cannot be determined within a millisecond.
    fn reads_asynchronously(&self, thread: u32) -> bool;
}
