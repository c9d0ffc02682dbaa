//! Mounting and unmounting.
//!
//! This is done here and not by fuser, so that the daemon unmounts nothing but its own
//! mount: a mount that somebody else puts over it stays.

mod directory;
mod liveness;
mod namespace;
pub mod options;
pub mod table;

use directory::{Directory, Identity};
use liveness::Liveness;
pub use namespace::Namespace;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use table::{Mounted, Mounts};

/// The type that the mount table shows.
pub const FILESYSTEM: &str = "fuse.iterfs";

/// The reason why mounting or unmounting failed.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The directory does not exist, or cannot be reached.
    #[error("{0}: {1}; make the directory first")]
    NoDirectory(PathBuf, io::Error),
    /// The path is not a directory.
    #[error("{0} is not a directory")]
    NotADirectory(PathBuf),
    /// An iterfs is already mounted there.
    #[error("an iterfs is already mounted on {0}; unmount it with: umount {0}")]
    Busy(PathBuf),
    /// The daemon of the iterfs that is mounted there hangs.
    #[error(
        "the daemon of the iterfs on {0} does not answer; \
         kill it, or unmount with: umount --lazy {0}"
    )]
    Hangs(PathBuf),
    /// A dead mount of another filesystem.
    #[error("a dead mount of type {1} is on {0}; unmount it first with: umount {0}")]
    Foreign(PathBuf, String),
    /// A dead mount that cannot be unmounted.
    #[error("cannot unmount the dead mount on {0}: {1}")]
    Stale(PathBuf, io::Error),
    /// The mount table cannot be read.
    #[error("cannot examine the mounts on {0}: {1}")]
    Unknown(PathBuf, io::Error),
    /// The FUSE device cannot be opened.
    #[error("/dev/fuse: {0}; load the module with: modprobe fuse")]
    NoFuse(io::Error),
    /// The process filesystem is missing.
    #[error("/proc: {0}; mount it with: mount -t proc proc /proc")]
    NoProc(io::Error),
    /// The mount namespace cannot be entered.
    #[error("{0}: {1}; name a mount namespace such as /proc/PID/ns/mnt")]
    Namespace(PathBuf, io::Error),
    /// A mount of this process cannot be unmounted.
    #[error("cannot unmount {0}: {1}")]
    Stays(PathBuf, io::Error),
    /// The kernel refuses the mount.
    #[error("cannot mount on {0}: {1}")]
    Refused(PathBuf, io::Error),
}

/// Number of dead mounts on one directory beyond which something else must be wrong.
const MAX_DEAD: usize = 64;

/// A mount that this process made.
#[derive(Clone, Debug)]
pub struct Mountpoint {
    namespace: Namespace,
    directory: PathBuf,
    identity: Identity,
}

/// Mounts on a directory, after unmounting dead iterfs mounts from it. The returned
/// descriptor receives the requests. The mount can be used once the first of them is
/// answered.
///
/// # Errors
/// Nothing is mounted in case of an error.
pub fn mount(
    namespace: &Namespace,
    directory: &Path,
    source: &str,
    read_only: bool,
) -> Result<(OwnedFd, Mountpoint), MountError> {
    let fuse = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| MountError::NoFuse(errno.into()))?;
    let (directory, identity) = namespace.enter(|mounts| {
        let directory = prepare(directory, mounts)?;
        attach(&fuse, &directory, source, read_only)?;
        let mounted = Directory::open(&directory, mounts)?;
        Ok((directory, mounted.identity))
    })?;
    let mountpoint = Mountpoint {
        namespace: namespace.clone(),
        directory,
        identity,
    };
    Ok((fuse, mountpoint))
}

/// Checks that a directory can be mounted on, and unmounts dead iterfs mounts from it.
///
/// Returns its absolute path.
fn prepare(directory: &Path, mounts: &Mounts) -> Result<PathBuf, MountError> {
    let mut found = Directory::open(directory, mounts)?;
    for _ in 0..MAX_DEAD {
        let unknown = |error| MountError::Unknown(found.path.clone(), error);
        let all = mounts.all().map_err(unknown)?;
        let mounted = all.iter().find(|mounted| mounted.id == found.mount_id);
        // A dead mount of another filesystem is not ours to unmount, nor to cover.
        let Some(Mounted { filesystem, .. }) = mounted
            // Otherwise, the directory only lies within that mount.
            .filter(|mounted| mounted.directory == found.path)
            .filter(|mounted| mounted.filesystem.starts_with("fuse"))
        else {
            return Ok(found.path);
        };
        let ours = filesystem == FILESYSTEM;
        match liveness::ask(&found.descriptor).map_err(unknown)? {
            Liveness::Alive if ours => return Err(MountError::Busy(found.path)),
            Liveness::Silent if ours => return Err(MountError::Hangs(found.path)),
            Liveness::Alive | Liveness::Silent => return Ok(found.path),
            Liveness::Dead if ours => {}
            Liveness::Dead => return Err(MountError::Foreign(found.path, filesystem.clone())),
        }
        rustix::mount::unmount(&found.path, UnmountFlags::DETACH)
            .map_err(|errno| MountError::Stale(found.path.clone(), errno.into()))?;
        tracing::info!("unmounted a dead iterfs from {}", found.path.display());
        found = Directory::open(directory, mounts)?;
    }
    let endless = io::Error::other("more dead mounts appear as they are unmounted");
    Err(MountError::Stale(found.path, endless))
}

fn attach(
    fuse: &OwnedFd,
    directory: &Path,
    source: &str,
    read_only: bool,
) -> Result<(), MountError> {
    let refused = |error: io::Error| MountError::Refused(directory.into(), error);
    // fuse(4): the mode of the root's type, and the mounting user. The maximum size of
    // reads is what the protocol negotiates.
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
    /// Unmounts, if the mount still exists and no other mount covers it.
    pub fn unmount(&self) {
        self.unmount_within(Duration::ZERO);
    }

    /// Unmounts a mount whose session ended although nobody unmounted it, because its
    /// connection was aborted. Returns whether a mount was left.
    ///
    /// `umount -f` aborts the connection and then unmounts; it may take `patience` to do
    /// so.
    pub fn unmount_aborted(&self, patience: Duration) -> bool {
        self.unmount_within(patience)
    }

    fn unmount_within(&self, patience: Duration) -> bool {
        let directory = self.directory.display();
        let stays = |error| MountError::Stays(self.directory.clone(), error);
        let done = self.namespace.enter(|mounts| {
            let ours = |mounted: &Mounted| {
                mounted.device == self.identity.device && mounted.directory == self.directory
            };
            if !mounts.wait_while(ours, patience).map_err(stays)? {
                return Ok(false);
            }
            let uppermost = Directory::open(&self.directory, mounts)?;
            if uppermost.identity == self.identity {
                drop(uppermost);
                rustix::mount::unmount(&self.directory, UnmountFlags::DETACH)
                    .map_err(|errno| stays(errno.into()))?;
            } else {
                tracing::warn!(
                    "another mount covers the iterfs on {directory}, which stays mounted"
                );
            }
            Ok(true)
        });
        done.unwrap_or_else(|error| {
            tracing::error!("{error}");
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsuitable_mount_point_is_refused() {
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
