//! Lists and finds the cgroups in `cgroup/` by name.
//!
//! This uses a private, detached mount of cgroup2, so it does not matter where, or whether, the
//! host has mounted one. A cgroup's id is the inode number of its directory (fs/kernfs,
//! `kernfs_ino()`), and the file handle with which that directory is opened.

use crate::sys;
use iterfs_mapping::error::{Error, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

/// The tree of cgroups, as this process's cgroup namespace shows it.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    root: OnceLock<OwnedFd>,
}

impl Cgroups {
    /// The children of a cgroup; none if it is gone.
    pub(crate) fn below(&self, id: u64) -> Result<Vec<(OsString, u64)>> {
        let Some(directory) = self.open(id)? else {
            return Ok(Vec::new());
        };
        let mut below = Vec::new();
        for entry in Dir::read_from(&directory).map_err(failed)? {
            let entry = match entry {
                Ok(entry) => entry,
                // The cgroup was removed during the read.
                Err(Errno::NOENT | Errno::NODEV) => break,
                Err(errno) => return Err(failed(errno)),
            };
            let name = entry.file_name().to_bytes();
            if entry.file_type() == FileType::Directory && name != b"." && name != b".." {
                below.push((OsStr::from_bytes(name).to_owned(), entry.ino()));
            }
        }
        Ok(below)
    }

    /// The child of a cgroup with this name.
    pub(crate) fn find(&self, id: u64, name: &OsStr) -> Result<Option<u64>> {
        let Some(directory) = self.open(id)? else {
            return Ok(None);
        };
        let found = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW);
        match found {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                Ok(Some(stat.st_ino))
            }
            Ok(_) | Err(Errno::NOENT | Errno::NODEV | Errno::NAMETOOLONG) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Whether a cgroup with this id exists.
    pub(crate) fn exists(&self, id: u64) -> Result<bool> {
        Ok(id == 0 || self.open(id)?.is_some())
    }

    fn open(&self, id: u64) -> Result<Option<OwnedFd>> {
        let root = self.root()?;
        if id == 0 {
            return open_directory(root).map(Some).map_err(failed);
        }
        match sys::open_kernfs_node(root, id) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::STALE | Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }

    fn root(&self) -> Result<&OwnedFd> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let root = mount().map_err(failed)?;
        Ok(self.root.get_or_init(|| root))
    }
}

fn mount() -> rustix::io::Result<OwnedFd> {
    let filesystem = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&filesystem)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(&filesystem, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    // The mount descriptor is only a location (O_PATH), but opening by handle needs an open
    // directory.
    open_directory(&mount)
}

fn open_directory(place: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(place, ".", flags, Mode::empty())
}

fn failed(errno: Errno) -> Error {
    Error::Cgroups(errno.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn child_cgroups_are_found_by_name_and_id() {
        let cgroups = Cgroups::default();
        for (name, id) in cgroups.below(0).unwrap() {
            assert_eq!(cgroups.find(0, &name).unwrap(), Some(id), "{name:?}");
            assert!(cgroups.exists(id).unwrap(), "{name:?}");
        }
        assert_eq!(cgroups.find(0, "no such cgroup".as_ref()).unwrap(), None);
        assert_eq!(cgroups.find(0, "cgroup.procs".as_ref()).unwrap(), None);
        assert!(!cgroups.exists(u64::MAX).unwrap());
        assert!(cgroups.below(u64::MAX).unwrap().is_empty());
    }
}
