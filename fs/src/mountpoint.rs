//! The place in the tree of mounts: taking it, and giving it back.
//!
//! Done here and not by fuser, because a mount may only be taken off by the one
//! that put it there: what others mount over ours stays.

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use std::ffi::{CString, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

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

/// A line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, PartialEq)]
struct Mounted {
    device: String,
    directory: PathBuf,
    filesystem: String,
}

/// A mount namespace to mount in: this process's, or another that is entered for
/// as long as it takes and no longer. `/proc`, by which callers are known, is
/// always this process's own.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    other: Option<(PathBuf, Arc<OwnedFd>)>,
}

impl Namespace {
    /// The namespace of a file such as `/proc/PID/ns/mnt`.
    ///
    /// # Errors
    /// [`MountError::Namespace`] if the file cannot be opened.
    pub fn open(file: &Path) -> Result<Namespace, MountError> {
        let opened = rustix::fs::open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| MountError::Namespace(file.into(), errno.into()))?;
        Ok(Namespace {
            other: Some((file.into(), Arc::new(opened))),
        })
    }

    /// Works there, on a thread that is made for it and never comes back.
    fn enter<T: Send>(
        &self,
        work: impl FnOnce(&Mounts) -> Result<T, MountError> + Send,
    ) -> Result<T, MountError> {
        let proc = rustix::fs::open("/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| MountError::NoProc(errno.into()))?;
        let mounts = Mounts { proc };
        let Some((file, namespace)) = &self.other else {
            return work(&mounts);
        };
        let failed = |error: io::Error| MountError::Namespace(file.clone(), error);
        thread::scope(|scope| {
            let worker = thread::Builder::new()
                .name("mount namespace".into())
                .spawn_scoped(scope, || {
                    move_to(namespace.as_fd()).map_err(|errno| failed(errno.into()))?;
                    work(&mounts)
                })
                .map_err(failed)?;
            let panicked = |_| Err(failed(io::Error::other("the thread panicked")));
            worker.join().unwrap_or_else(panicked)
        })
    }
}

/// Moves this thread, and its root and working directory alone, as setns(2) demands.
fn move_to(namespace: BorrowedFd<'_>) -> rustix::io::Result<()> {
    #[expect(
        deprecated,
        reason = "it is unsafe for UnshareFlags::FILES, which this is not"
    )]
    rustix::thread::unshare(UnshareFlags::FS)?;
    move_into_link_name_space(namespace, Some(LinkNameSpaceType::Mount))
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

/// The device of what a path leads to, as the mount table writes it. The server
/// of a FUSE mount is not asked: it may not have begun, or be about to end.
fn device(directory: &Path) -> rustix::io::Result<String> {
    let status = rustix::fs::statx(
        rustix::fs::CWD,
        directory,
        AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT,
        StatxFlags::empty(),
    )?;
    Ok(format!("{}:{}", status.stx_dev_major, status.stx_dev_minor))
}

/// The mount table of the namespace that a thread is in.
struct Mounts {
    /// This process's `/proc`. That of another namespace may not know us.
    proc: OwnedFd,
}

impl Mounts {
    /// What is mounted on a directory.
    fn of(&self, directory: &Path) -> impl Iterator<Item = Mounted> {
        let table = self.read().unwrap_or_default();
        let lines: Vec<_> = table
            .split(|byte| *byte == b'\n')
            .filter_map(parse_line)
            .filter(|mounted| mounted.directory == directory)
            .collect();
        lines.into_iter()
    }

    /// Whether what a directory's path leads to is an iterfs mounted there.
    fn uppermost_is_ours(&self, directory: &Path) -> bool {
        device(directory).is_ok_and(|device| {
            self.of(directory)
                .any(|mounted| mounted.device == device && mounted.filesystem == FILESYSTEM)
        })
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let path = "thread-self/mountinfo";
        let file = rustix::fs::openat(&self.proc, path, flags, Mode::empty())?;
        let mut table = Vec::new();
        fs::File::from(file).read_to_end(&mut table)?;
        Ok(table)
    }
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

    #[test]
    fn devices_are_written_as_in_the_mount_table() {
        let mounts = |mounts: &Mounts| Ok(mounts.of(Path::new("/proc")).collect::<Vec<_>>());
        let mounted = Namespace::default().enter(mounts).unwrap();
        let device = device(Path::new("/proc")).unwrap();
        assert!(mounted.iter().any(|mounted| mounted.device == device));
    }
}
