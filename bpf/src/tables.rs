//! How the filesystem reaches the kernel: open a table for a caller, get its bytes.
//!
//! [`crate::Kernel`] is the implementation. Tests put a fake in its place, and a
//! separate privileged process could.

use crate::caller::Caller;
use crate::error::Result;
use crate::schema::Schema;
use iterfs_mapping::{Instance, TableId};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// The tables of a kernel.
pub trait Tables: Send + Sync {
    /// Whether the kernel has the target that this table walks.
    fn present(&self, table: TableId) -> bool;

    /// Starts a pass over a table as `caller` sees it.
    ///
    /// # Errors
    /// Those of loading the program, linking it and making the iterator.
    fn open(&self, instance: Instance, caller: &Caller) -> Result<Pass>;

    /// The cgroups right below one, by name and by the id of their kernfs nodes.
    /// 0 stands for the root.
    ///
    /// # Errors
    /// Those of reading its directory; none if it is there no more.
    fn cgroups_below(&self, id: u64) -> Result<Vec<(OsString, u64)>>;

    /// The one of this name among them.
    ///
    /// # Errors
    /// As [`Tables::cgroups_below`].
    fn cgroup_below(&self, id: u64, name: &OsStr) -> Result<Option<u64>>;

    /// Whether there is such a cgroup.
    ///
    /// # Errors
    /// As [`Tables::cgroups_below`].
    fn cgroup_exists(&self, id: u64) -> Result<bool>;
}

/// One pass over a table.
pub struct Pass {
    /// What its records are.
    pub schema: Arc<Schema>,
    /// Where they come from.
    pub source: Box<dyn Source>,
}

/// The bytes of one pass.
pub trait Source: Send {
    /// Takes the pass one step on, filling the front of `buffer`.
    ///
    /// A step takes a bounded time, so that the caller can stop between two.
    ///
    /// # Errors
    /// The kernel's, after which the pass is over.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress>;
}

/// What a step of a pass brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// This many bytes, more than none.
    Bytes(usize),
    /// No bytes yet: the objects walked gave no rows.
    Nothing,
    /// The end of the pass.
    End,
}
