//! The objects of the host that have directories of their own: processes, maps, net namespaces
//! and cgroups.

use crate::caller::View;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

/// The current processes and BPF maps.
///
/// They come from the built-in programs of `processes` and `bpf/maps`, even after an update has
/// replaced the programs of these tables. On a kernel without the target the lists are empty; a
/// program without a required column is an error.
pub trait Processes: Send + Sync {
    /// The processes that a reader sees, in the order of the kernel's walk.
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
    /// The process id in the reader's pid namespace.
    pub pid: u32,
    /// The start time, in nanoseconds since boot.
    pub started: u64,
    /// The number of slots in its descriptor table.
    pub slots: u32,
}

/// A BPF map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Map {
    /// The id of the map.
    pub id: u32,
    /// The name of the map's type, as [`crate::Need::Map`] spells it.
    pub kind: Box<str>,
}

/// The net namespaces of the host.
pub trait NetNamespaces: Send + Sync {
    /// The inode numbers of the net namespaces that have tasks in them.
    ///
    /// # Errors
    /// Those of a pass over `tasks`.
    fn net_namespaces(&self) -> Result<BTreeSet<u32>>;

    /// The names of net namespaces (ip-netns(8)), with their inode numbers.
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
    /// The children of a cgroup, with their names. A cgroup that is gone has none.
    ///
    /// # Errors
    /// [`Error::Cgroups`] if its directory cannot be read.
    fn cgroups_below(&self, id: u64) -> Result<Vec<(OsString, u64)>>;

    /// The child of a cgroup with this name.
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
