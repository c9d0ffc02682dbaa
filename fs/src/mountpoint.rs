//! The place in the tree of mounts: taking it, and giving it back.
//!
//! Done here and not by fuser, because a mount may only be taken off by the one
//! that put it there: what others mount over ours stays.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::{CString, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The type that the mount table shows.
pub const FILESYSTEM: &str = "fuse.iterfs";

/// Why a mount could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The directory is not there, or not to be reached.
    #[error("{0}: {1}; make the directory first")]
    NoDirectory(PathBuf, #[source] io::Error),
    /// Something other than a directory.
    #[error("{0} is not a directory")]
    NotADirectory(PathBuf),
    /// An iterfs is mounted there already.
    #[error("{0} is already an iterfs mount; take it off with: umount {0}")]
    Busy(PathBuf),
    /// A dead mount that cannot be taken off.
    #[error("{0} is a dead mount that cannot be taken off: {1}")]
    Stale(PathBuf, #[source] io::Error),
    /// No FUSE device.
    #[error("/dev/fuse: {0}; load the module with: modprobe fuse")]
    NoFuse(#[source] io::Error),
    /// The mount itself.
    #[error("mounting on {0}: {1}")]
    Refused(PathBuf, #[source] io::Error),
}

/// A mount of ours.
#[derive(Clone, Debug)]
pub struct Mountpoint {
    directory: PathBuf,
    device: String,
}

/// A line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, PartialEq)]
struct Mounted {
    device: String,
    directory: PathBuf,
    filesystem: String,
}

/// Looks whether a directory can be mounted on, and clears away a dead mount.
///
/// Returns its absolute path.
pub fn prepare(directory: &Path) -> Result<PathBuf, MountError> {
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
    match topmost(&directory) {
        Some(mounted) if mounted.filesystem == FILESYSTEM => Err(MountError::Busy(directory)),
        _ => Ok(directory),
    }
}

/// Mounts on a directory from [`prepare`]. The descriptor takes the requests,
/// of which the first must be answered before anybody can use the mount.
pub fn mount(
    directory: &Path,
    source: &str,
    read_only: bool,
) -> Result<(OwnedFd, Mountpoint), MountError> {
    let fuse = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| MountError::NoFuse(errno.into()))?;
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
        .map_err(|errno| refused(errno.into()))?;
    let device = topmost(directory).map(|mounted| mounted.device);
    let mountpoint = Mountpoint {
        directory: directory.into(),
        device: device.unwrap_or_default(),
    };
    Ok((fuse, mountpoint))
}

impl Mountpoint {
    /// Takes the mount off, if it is still there and nothing lies over it.
    pub fn unmount(&self) {
        match topmost(&self.directory) {
            Some(mounted) if mounted.device == self.device => {
                let done = rustix::mount::unmount(&self.directory, UnmountFlags::DETACH);
                if let Err(errno) = done {
                    tracing::error!("unmounting {}: {errno}", self.directory.display());
                }
            }
            Some(_) => tracing::warn!(
                "{} has another mount over ours, which stays",
                self.directory.display()
            ),
            None => {}
        }
    }
}

/// What is mounted on a directory, uppermost.
fn topmost(directory: &Path) -> Option<Mounted> {
    let table = fs::read("/proc/self/mountinfo").ok()?;
    table
        .split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .filter(|mounted| mounted.directory == directory)
        .last()
}

fn parse_line(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = text(fields.nth(2)?);
    let directory = unescape(fields.nth(1)?);
    let filesystem = text(fields.skip_while(|field| *field != b"-").nth(1)?);
    Some(Mounted {
        device,
        directory,
        filesystem,
    })
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

/// Undoes the `\ooo` that the kernel writes for blanks and backslashes.
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) => {
                path.push(byte);
                rest = &after[3..];
            }
            None => {
                path.push(first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_lines_are_read() {
        let line =
            br"36 35 98:0 / /mnt/a\040b rw,noatime master:1 shared:2 - fuse.iterfs iterfs rw";
        let mounted = Mounted {
            device: "98:0".into(),
            directory: "/mnt/a b".into(),
            filesystem: "fuse.iterfs".into(),
        };
        assert_eq!(parse_line(line), Some(mounted));
        assert_eq!(parse_line(b"36 35 98:0 / /mnt rw"), None);
        assert_eq!(parse_line(b""), None);
    }

    #[test]
    fn what_cannot_be_mounted_on_is_refused() {
        let missing = prepare(Path::new("/no/such/directory")).unwrap_err();
        assert!(matches!(missing, MountError::NoDirectory(..)), "{missing}");
        let file = prepare(Path::new("/etc/passwd")).unwrap_err();
        assert!(matches!(file, MountError::NotADirectory(_)), "{file}");
        assert!(prepare(Path::new("/")).is_ok());
    }
}
