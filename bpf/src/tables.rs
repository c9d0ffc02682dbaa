//! How the filesystem reaches the kernel: open a table for a caller, get its bytes.
//!
//! [`crate::Kernel`] is the implementation. Tests put a fake in its place, and a
//! separate privileged process could.

use crate::caller::{Caller, User};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::schema::Schema;
use iterfs_mapping::{Format, Instance, Scope, TableId};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// The tables of a kernel.
pub trait Tables: Send + Sync {
    /// Whether the kernel has the target that this table walks.
    fn present(&self, table: TableId) -> bool;

    /// How a table is shown now: as the layout has it, but where an update put
    /// another program into its place.
    fn form(&self, table: TableId) -> Form;

    /// Starts a pass over a table as a reader sees it.
    ///
    /// # Errors
    /// Those of loading the program, linking it and making the iterator.
    fn open(&self, instance: Instance, view: &View) -> Result<Pass>;

    /// The same with the table's own program, whatever an update put into its
    /// place: for what we ourselves must know.
    ///
    /// # Errors
    /// As [`Tables::open`].
    fn open_own(&self, instance: Instance, view: &View) -> Result<Pass>;

    /// The tables that were brought, by name.
    fn user_tables(&self) -> Vec<UserTable>;

    /// Starts a pass over the table brought under this number.
    ///
    /// # Errors
    /// As [`Tables::open`]; [`Error::NoUserTable`] if it was unloaded.
    fn open_user(&self, number: u32, view: &View) -> Result<Pass>;

    /// The names that somebody gave net namespaces (ip-netns(8)), with their inode
    /// numbers.
    ///
    /// # Errors
    /// Those of reading the directory of names.
    fn net_namespace_names(&self) -> Result<Vec<(OsString, u32)>>;

    /// Whether there is a net namespace of this inode number on the host.
    ///
    /// # Errors
    /// Those of looking for it.
    fn net_namespace_exists(&self, inode: u32) -> Result<bool>;

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

/// What a reader sees of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct View {
    /// Who asks: its namespaces are those that are shown.
    pub caller: Caller,
    /// The user whose own processes alone are shown; none to whom all are.
    pub own: Option<User>,
    /// Of a walk narrowed to a process: when it started, in nanoseconds since boot,
    /// so that no later one of its number is shown.
    pub started: Option<u64>,
    /// Whether kernel addresses are shown where a table has any.
    pub addresses: bool,
}

impl View {
    /// All that this process may see, as another sees it.
    pub const fn of(caller: Caller) -> View {
        View {
            caller,
            own: None,
            started: None,
            addresses: true,
        }
    }
}

/// A table that was brought.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserTable {
    /// Its name in `user`.
    pub name: String,
    /// Its number, which no other table ever has.
    pub number: u32,
    /// How it is shown.
    pub form: Form,
}

/// How a program's rows are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Form {
    /// In which formats: every one, or text alone where it prints text itself.
    pub formats: &'static [Format],
    /// Whose view they are.
    pub scope: Scope,
}

/// One pass over a table.
pub struct Pass {
    /// What its records are; none of a program that prints text itself.
    pub schema: Option<Arc<Schema>>,
    /// Where they come from.
    pub source: Box<dyn Source>,
    /// Of a large pass, where the rest comes from, in order: parts that may be walked
    /// side by side.
    pub rest: Vec<Box<dyn Source>>,
    /// Whether a step may wait for a process that is walked, for as long as that process
    /// likes: for the lock of its memory map, or for a page of its memory.
    pub waits_for_processes: bool,
}

impl Form {
    /// How a table is shown whose own program stands in its place.
    pub(crate) fn of_layout(scope: Scope) -> Form {
        Form {
            formats: &Format::ALL,
            scope,
        }
    }
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
