//! The settings of readers, in the map in which a shared program looks up its reader: `readers`
//! of `programs/lib/reader.h`.

use iterfs_mapping::View;
use zerocopy::{Immutable, IntoBytes};

/// The map's name in the objects that use it.
pub(crate) const MAP_NAME: &str = "readers";

/// The settings of one reader; the front of `struct reader`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Settings {
    /// The inode number of the pid namespace that numbers tasks; 0 is the initial one.
    pub(crate) pid_namespace: u32,
    /// If not 0, shows only this process, numbered as in that namespace.
    pub(crate) process: u32,
    /// If not 0, shows only objects of the net namespace with this inode number.
    pub(crate) net_namespace: u32,
    /// The reader's real user, if only its own processes are shown.
    pub(crate) uid: u32,
    /// The reader's real group, in that case.
    pub(crate) gid: u32,
    /// Whether only the reader's own processes are shown.
    pub(crate) own: u16,
    /// Whether kernel addresses are hidden from the reader.
    pub(crate) hides_addresses: u16,
    /// The number of bytes of a map's key in a row.
    pub(crate) key_size: u32,
    /// The number of bytes of a map's value in a row, including those of all processors.
    pub(crate) value_size: u32,
    /// If not 0, shows only a process with this start time, in nanoseconds since boot.
    pub(crate) started: u64,
    /// The reader's effective capabilities, in its user namespace.
    pub(crate) capabilities: u64,
    /// The inode number of that user namespace.
    pub(crate) user_namespace: u32,
    /// The user who made that namespace.
    pub(crate) namespace_owner: u32,
    /// The reader's effective user.
    pub(crate) effective: u32,
    /// Padding that aligns the next member.
    pub(crate) unused: u32,
    /// The range of a walk over cgroups.
    pub(crate) range: CgroupRange,
}

impl Settings {
    /// The settings for this view.
    pub(crate) fn of(view: &View) -> Settings {
        let own = view.own.unwrap_or_default();
        Settings {
            uid: own.uid,
            gid: own.gid,
            effective: own.effective,
            capabilities: own.capabilities,
            user_namespace: own.user_namespace,
            namespace_owner: own.namespace_owner,
            own: u16::from(view.own.is_some()),
            hides_addresses: u16::from(!view.addresses),
            started: view.started.unwrap_or_default(),
            ..Settings::default()
        }
    }

    /// Whether a program that does not look up its reader would show too much.
    pub(crate) fn is_needed(&self) -> bool {
        self.own != 0
    }
}

/// The range of a walk over cgroups; the front of `struct cgroup_walk`. The program uses it to
/// count, so it is stored before each walk.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct CgroupRange {
    /// Shows only cgroups after this one; 0 is the start.
    pub(crate) at: u64,
    /// Skips the children of `at` up to this id.
    pub(crate) after: u64,
    /// If not 0, shows only cgroups nearer to the root than this level.
    pub(crate) above: u32,
    /// The number of bytes of rows for which there is room.
    pub(crate) budget: u32,
}
