//! The place in the tree of mounts: taking it, and giving it back.
//!
//! Done here and not by fuser, because a mount may only be taken off by the one
//! that put it there: what others mount over ours stays.

mod namespace;
pub(crate) mod table;

pub use namespace::Namespace;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use table::{Mounts, device};

/// The type that the mount table shows.
pub const FILESYSTEM: &str = "fuse.iterfs";

/// Why a mount could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The directory is not there, or not to be reached.
    #[error("{0}: {1}; make the directory first")]
    NoDirectory(PathBuf, io::Error),
    /// Something other than a directory.
    #[error("{0} is not a directory")]
    NotADirectory(PathBuf),
    /// An iterfs is mounted there already.
    #[error("{0} is already an iterfs mount; take it off with: umount {0}")]
    Busy(PathBuf),
    /// A dead mount that cannot be taken off.
    #[error("{0} is a dead mount that cannot be taken off: {1}")]
    Stale(PathBuf, io::Error),
    /// No FUSE device.
    #[error("/dev/fuse: {0}; load the module with: modprobe fuse")]
    NoFuse(io::Error),
    /// No process table.
    #[error("/proc: {0}; mount it with: mount -t proc proc /proc")]
    NoProc(io::Error),
    /// A mount namespace that cannot be entered.
    #[error("{0}: {1}; name a mount namespace such as /proc/PID/ns/mnt")]
    Namespace(PathBuf, io::Error),
    /// A mount of ours that cannot be taken off.
    #[error("unmounting {0} failed: {1}")]
    Stays(PathBuf, io::Error),
    /// The mount itself.
    #[error("mounting on {0} failed: {1}")]
    Refused(PathBuf, io::Error),
}

/// A mount of ours.
#[derive(Clone, Debug)]
pub struct Mountpoint {
    namespace: Namespace,
    directory: PathBuf,
    device: String,
}

/// Mounts on a directory, from which a dead mount is cleared away first. The
/// descriptor takes the requests, of which the first must be answered before
/// anybody can use the mount.
///
/// # Errors
/// Nothing is mounted then.
pub fn mount(
    namespace: &Namespace,
    directory: &Path,
    source: &str,
    read_only: bool,
) -> Result<(OwnedFd, Mountpoint), MountError> {
    let fuse = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| MountError::NoFuse(errno.into()))?;
    let (directory, device) = namespace.enter(|mounts| {
        let directory = prepare(directory, mounts)?;
        attach(&fuse, &directory, source, read_only)?;
        let device = device(&directory)
            .map_err(|errno| MountError::Refused(directory.clone(), errno.into()))?;
        Ok((directory, device))
    })?;
    let mountpoint = Mountpoint {
        namespace: namespace.clone(),
        directory,
        device,
    };
    Ok((fuse, mountpoint))
}

/// Looks whether a directory can be mounted on, and clears away a dead mount.
///
/// Returns its absolute path.
fn prepare(directory: &Path, mounts: &Mounts) -> Result<PathBuf, MountError> {
    let mut status = rustix::fs::stat(directory);
    // A server that died leaves its mount behind, on which every call fails so.
    if matches!(status, Err(Errno::NOTCONN)) {
        rustix::mount::unmount(directory, UnmountFlags::DETACH)
            .map_err(|errno| MountError::Stale(directory.into(), errno.into()))?;
        tracing::info!(directory = %directory.display(), "took a dead mount off");
        status = rustix::fs::stat(directory);
    }
    let status = status.map_err(|errno| MountError::NoDirectory(directory.into(), errno.into()))?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode) != rustix::fs::FileType::Directory {
        return Err(MountError::NotADirectory(directory.into()));
    }
    let directory = fs::canonicalize(directory)
        .map_err(|error| MountError::NoDirectory(directory.into(), error))?;
    if mounts.uppermost_is_ours(&directory) {
        return Err(MountError::Busy(directory));
    }
    Ok(directory)
}

fn attach(
    fuse: &OwnedFd,
    directory: &Path,
    source: &str,
    read_only: bool,
) -> Result<(), MountError> {
    let refused = |error: io::Error| MountError::Refused(directory.into(), error);
    // fuse(4): the mode of the root's type, and who mounts. Reads are as large
    // as the protocol negotiates.
    let data = format!(
        "fd={},rootmode=40000,user_id={},group_id={},default_permissions,allow_other",
        fuse.as_raw_fd(),
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    let data = CString::new(data).map_err(|error| refused(error.into()))?;
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if read_only {
        flags |= MountFlags::RDONLY;
    }
    rustix::mount::mount(source, directory, FILESYSTEM, flags, data.as_c_str())
        .map_err(|errno| refused(errno.into()))
}

impl Mountpoint {
    /// Takes the mount off, if it is still there and nothing lies over it.
    pub fn unmount(&self) {
        let done = self.namespace.enter(|mounts| {
            if device(&self.directory).ok().as_ref() == Some(&self.device) {
                rustix::mount::unmount(&self.directory, UnmountFlags::DETACH)
                    .map_err(|errno| MountError::Stays(self.directory.clone(), errno.into()))?;
            } else if mounts.of(&self.directory).any(|m| m.device == self.device) {
                let directory = self.directory.display();
                tracing::warn!("{directory} has another mount over ours, which stays");
            }
            Ok(())
        });
        if let Err(error) = done {
            tracing::error!("{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_mounted_on_is_refused() {
        let look = |path: &str| {
            let path = path.to_owned();
            Namespace::default().enter(|mounts| prepare(Path::new(&path), mounts))
        };
        let missing = look("/no/such/directory").unwrap_err();
        assert!(matches!(missing, MountError::NoDirectory(..)), "{missing}");
        let file = look("/etc/passwd").unwrap_err();
        assert!(matches!(file, MountError::NotADirectory(_)), "{file}");
        assert!(look("/").is_ok());
    }
}
