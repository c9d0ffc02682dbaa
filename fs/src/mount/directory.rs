//! The directory to mount on, and the mount that its path leads to.
//!
//! This module sends no request to any filesystem: its server may not have begun, hang, or
//! be dead, and an automounter waits for us to mount.

use super::MountError;
use super::table::Mounts;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// STATX_MNT_ID_UNIQUE, since Linux 6.8: returns a mount id that is never reused instead of
/// the one in the mount table. Older kernels ignore it.
const UNIQUE_MOUNT_ID: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// Identifies a mount among all others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Identity {
    /// The filesystem's device, as the mount table writes it.
    pub(super) device: String,
    mount: u64,
}

/// A directory, referred to without opening it.
#[derive(Debug)]
pub(super) struct Directory {
    /// A descriptor that refers to the directory (O_PATH).
    pub(super) descriptor: OwnedFd,
    /// The absolute path, without symbolic links.
    pub(super) path: PathBuf,
    /// The id of the mount that the directory is in, as in the mount table.
    pub(super) mount_id: u64,
    /// The identity of the same mount.
    pub(super) identity: Identity,
}

impl Directory {
    /// Finds a directory by its path.
    pub(super) fn open(path: &Path, mounts: &Mounts) -> Result<Directory, MountError> {
        let failed = |errno: Errno| MountError::NoDirectory(path.into(), errno.into());
        // Without O_DIRECTORY, which would trigger an automount.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let descriptor = match rustix::fs::open(path, flags, Mode::empty()) {
            Err(Errno::NOTDIR) => return Err(MountError::NotADirectory(path.into())),
            opened => opened.map_err(failed)?,
        };
        let status = |which| {
            let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
            rustix::fs::statx(&descriptor, c"", flags, which)
        };
        let listed = status(StatxFlags::TYPE | StatxFlags::MNT_ID).map_err(failed)?;
        if FileType::from_raw_mode(listed.stx_mode.into()) != FileType::Directory {
            return Err(MountError::NotADirectory(path.into()));
        }
        let unique = status(StatxFlags::MNT_ID | UNIQUE_MOUNT_ID).map_err(failed)?;
        let link = format!("thread-self/fd/{}", descriptor.as_raw_fd());
        let resolved = rustix::fs::readlinkat(&mounts.proc, link, Vec::new()).map_err(failed)?;
        Ok(Directory {
            path: OsString::from_vec(resolved.into_bytes()).into(),
            mount_id: listed.stx_mnt_id,
            identity: Identity {
                device: format!("{}:{}", unique.stx_dev_major, unique.stx_dev_minor),
                mount: unique.stx_mnt_id,
            },
            descriptor,
        })
    }
}
