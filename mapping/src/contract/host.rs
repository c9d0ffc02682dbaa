//! What there is on the host that has a directory of its own: processes, maps, net
//! namespaces, cgroups.

use crate::caller::View;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

/// The processes and BPF maps that there are now.
///
/// They come from the built-in programs of `processes` and `bpf/maps`, whatever an update
/// put in the place of these tables. A kernel without the target has none of them; a
/// program without a column that is needed is an error.
pub trait Processes: Send + Sync {
    /// The processes that a reader sees, in the order in which the kernel walks them.
    ///
    /// # Errors
    /// Those of a pass over `processes`.
    fn processes(&self, view: &View) -> Result<Vec<Process>>;

    /// The process with this number, if the reader sees it.
    ///
    /// # Errors
    /// As [`Processes::processes`].
    fn process(&self, view: &View, pid: u32) -> Result<Option<Process>>;

    /// The BPF maps, by id.
    ///
    /// # Errors
    /// Those of a pass over `bpf/maps`.
    fn maps(&self) -> Result<Vec<Map>>;
}

/// A process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Process {
    /// Its number in the reader's pid namespace.
    pub pid: u32,
    /// When it started, in nanoseconds since boot.
    pub started: u64,
    /// The size of its table of descriptors.
    pub slots: u32,
}

/// A BPF map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Map {
    /// Its id.
    pub id: u32,
    /// The name of its type, as the layout's [`crate::Need::Map`] spells it.
    pub kind: Box<str>,
}

/// The net namespaces of the host.
pub trait NetNamespaces: Send + Sync {
    /// The inode numbers of those that tasks are in.
    ///
    /// # Errors
    /// Those of a pass over `tasks`.
    fn net_namespaces(&self) -> Result<BTreeSet<u32>>;

    /// The names that somebody gave net namespaces (ip-netns(8)), with their inode
    /// numbers.
    ///
    /// # Errors
    /// Those of reading the directory of names.
    fn net_namespace_names(&self) -> Result<Vec<(OsString, u32)>>;

    /// Whether there is a net namespace with this inode number.
    ///
    /// # Errors
    /// Those of looking for it.
    fn net_namespace_exists(&self, inode: u32) -> Result<bool>;
}

/// The cgroups, each by the id of its kernfs node. 0 stands for the root.
pub trait Cgroups: Send + Sync {
    /// The cgroups right below one, with their names. A cgroup that is gone has none.
    ///
    /// # Errors
    /// [`Error::Cgroups`] if its directory cannot be read.
    fn cgroups_below(&self, id: u64) -> Result<Vec<(OsString, u64)>>;

    /// The one of them that has this name.
    ///
    /// # Errors
    /// As [`Cgroups::cgroups_below`].
    fn cgroup_below(&self, id: u64, name: &OsStr) -> Result<Option<u64>>;

    /// Whether there is such a cgroup.
    ///
    /// # Errors
    /// As [`Cgroups::cgroups_below`].
    fn cgroup_exists(&self, id: u64) -> Result<bool>;
}
