//! Who opens, and in which namespaces.
//!
//! A caller blocked in open(2) cannot exit, so its `/proc/<tid>/ns` may be
//! trusted while the open is served, and only then.

use crate::error::{Error, Result};
use crate::split::Process;
use crate::sys;
use rustix::fs::{Mode, OFlags};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// Inode number of the initial pid namespace (include/uapi/linux/nsfs.h, PID_NS_INIT_INO).
pub const INITIAL_PID_NAMESPACE: u32 = 0xEFFF_FFFC;

/// How many descriptors [`Caller::has_open`] looks at, so that a caller with many cannot
/// keep the daemon busy.
const DESCRIPTORS_SEARCHED: usize = 256;

/// In what a thread waits that reads asynchronously: none of these calls reads a file.
/// Numbers of another architecture that the kernel runs, too, mean none that does.
const WAITS: [libc::c_long; 8] = [
    libc::SYS_io_uring_enter,
    libc::SYS_io_getevents,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_futex,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_clock_nanosleep,
];

/// The thread that asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caller {
    /// This process itself.
    Daemon,
    /// A thread, by its id in this process's pid namespace.
    Thread(u32),
}

/// A kind of namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Pid,
    Net,
    User,
}

/// A user, by ids in the initial user namespace, and what it may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Effective user id: who owns a user namespace may look into it.
    pub effective: u32,
    /// Effective capabilities, one a bit, in its user namespace.
    pub capabilities: u64,
    /// Inode number of its user namespace.
    pub user_namespace: u32,
    /// The user who made that. Its number may be another namespace's once it is gone,
    /// but of this user's namespaces this one may see.
    pub namespace_owner: u32,
}

/// By whom a caller's use of the daemon is bounded: a user, and the container that it is
/// in.
///
/// Nobody gets a second one by making namespaces. Of nested ones the outermost counts;
/// and those that a user can make without root are that user's, whoever is in them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tenant {
    /// The user, as the initial user namespace numbers it.
    pub uid: u32,
    /// The inode number of the namespace that makes the container; none on the host.
    pub container: Option<u32>,
}

/// Pid and user namespaces nest no deeper (include/linux/pid_namespace.h,
/// MAX_PID_NS_LEVEL; kernel/user_namespace.c).
const DEEPEST: usize = 40;

impl Caller {
    /// The tenant that it is, acting as a user.
    ///
    /// # Errors
    /// [`Error::Caller`] if its namespaces cannot be told.
    pub fn tenant(&self, uid: u32) -> Result<Tenant> {
        let home = home_user_namespace()?;
        let is_in_user_namespace = self.inode(Kind::User)? != home;
        let is_in_pid_namespace = !self.is_in_initial_pid_namespace()?;
        if !is_in_user_namespace && !is_in_pid_namespace {
            let container = None;
            return Ok(Tenant { uid, container });
        }
        let outermost_of = |kind, initial| outermost(self.open(kind)?, initial);
        let user = is_in_user_namespace.then(|| outermost_of(Kind::User, home));
        let user = user.transpose()?;
        let owner = user
            .as_ref()
            .map(|user| sys::owner_of_user_namespace(user.as_fd()).map_err(Error::Caller));
        let owner = owner.transpose()?.filter(|owner| *owner != 0);
        let pid = is_in_pid_namespace.then(|| outermost_of(Kind::Pid, INITIAL_PID_NAMESPACE));
        let made_by_root = pid.transpose()?.map(|pid| {
            let of = sys::user_namespace_of(pid.as_fd()).map_err(Error::Caller)?;
            Ok((inode_of(&of)? == home).then_some(inode_of(&pid)?))
        });
        let container = match made_by_root.transpose()?.flatten() {
            Some(pid) => Some(pid),
            None if owner.is_none() => user.map(|user| inode_of(&user)).transpose()?,
            None => None,
        };
        Ok(Tenant {
            uid: owner.unwrap_or(uid),
            container,
        })
    }

    /// The caller a FUSE request names.
    ///
    /// # Errors
    /// [`Error::Caller`] for 0: a caller in a pid namespace that is not ours or
    /// below. Nothing is shown to it rather than too much.
    pub fn from_request(tid: u32) -> Result<Caller> {
        match tid {
            0 => Err(Error::Caller(io::ErrorKind::PermissionDenied.into())),
            tid => Ok(Caller::Thread(tid)),
        }
    }

    /// The inode number of its pid namespace.
    pub fn pid_namespace(&self) -> Result<u32> {
        self.inode(Kind::Pid)
    }

    /// The inode number of its net namespace.
    pub fn net_namespace(&self) -> Result<u32> {
        self.inode(Kind::Net)
    }

    /// Whether it is on the host as this process is: in the initial pid namespace
    /// and this process's user namespace. Root inside a container is not.
    pub fn is_on_host(&self) -> Result<bool> {
        Ok(self.is_in_initial_pid_namespace()?
            && self.inode(Kind::User)? == Caller::Daemon.inode(Kind::User)?)
    }

    /// Whether processes have the same numbers for it as for this process.
    pub fn is_in_initial_pid_namespace(&self) -> Result<bool> {
        Ok(self.pid_namespace()? == INITIAL_PID_NAMESPACE)
    }

    /// Whether one of its first [`DESCRIPTORS_SEARCHED`] descriptors is an open file of
    /// this inode number. A descriptor made with O_PATH opens nothing and does not count.
    /// Before Linux 5.14 the kernel does not tell the number, and the answer is no.
    pub fn has_open(&self, inode: u64) -> Result<bool> {
        let directory = format!("{}/fdinfo", self.directory());
        let entries = fs::read_dir(directory).map_err(Error::Caller)?;
        let mut open = entries.take(DESCRIPTORS_SEARCHED).filter_map(|entry| {
            // A descriptor may be closed by another thread meanwhile.
            let text = fs::read_to_string(entry.ok()?.path()).ok()?;
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            let flags = u32::from_str_radix(field("flags:")?.trim(), 8).ok()?;
            let is_path = OFlags::from_bits_retain(flags).contains(OFlags::PATH);
            let found: u64 = field("ino:")?.trim().parse().ok()?;
            Some(found == inode && !is_path)
        });
        Ok(open.any(|found| found))
    }

    /// Whether it does not wait for a read that it began: then it is io_uring's, or Linux
    /// AIO's. One that is busy for a millisecond cannot be told, and the answer is no.
    pub fn reads_asynchronously(&self) -> bool {
        const TRIES: u32 = 20;
        const PAUSE: Duration = Duration::from_micros(50);
        let path = format!("{}/syscall", self.directory());
        for _ in 0..TRIES {
            // A thread that is gone has left its request behind, which no reader can.
            let Ok(call) = fs::read_to_string(&path) else {
                return true;
            };
            match call.split_whitespace().next() {
                // One that has just sent its request is about to wait.
                Some("running") => thread::sleep(PAUSE),
                // The number of a system call, or -1 outside of one: a thread of io_uring's.
                Some(number) => {
                    let number = number.parse().unwrap_or_default();
                    return number == -1 || WAITS.contains(&number);
                }
                None => return false,
            }
        }
        false
    }

    /// Its real user and group, as the initial user namespace numbers them.
    pub fn real_user(&self) -> Result<User> {
        let status = format!("{}/status", self.directory());
        let status = fs::read_to_string(status).map_err(Error::Caller)?;
        // Real, effective, saved, filesystem (proc_pid_status(5)).
        let of = |key: &str, at: usize| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().nth(at)
        };
        let decimal = |word: &str| word.parse::<u32>().ok();
        let hexadecimal = |word: &str| u64::from_str_radix(word, 16).ok();
        let odd = || Error::Caller(io::ErrorKind::InvalidData.into());
        match (
            of("Uid:", 0).and_then(decimal),
            of("Gid:", 0).and_then(decimal),
        ) {
            (Some(uid), Some(gid)) => Ok(User {
                uid,
                gid,
                effective: of("Uid:", 1).and_then(decimal).ok_or_else(odd)?,
                capabilities: of("CapEff:", 0).and_then(hexadecimal).ok_or_else(odd)?,
                user_namespace: self.inode(Kind::User)?,
                namespace_owner: sys::owner_of_user_namespace(self.open(Kind::User)?.as_fd())
                    .map_err(Error::Caller)?,
            }),
            _ => Err(odd()),
        }
    }

    /// What the process of this number in the caller's pid namespace is called
    /// here; none if there is none, or the kernel cannot tell (before 6.11).
    pub(crate) fn process_here(&self, process: u32) -> Option<u32> {
        let namespace = self.open(Kind::Pid).ok()?;
        sys::process_of_namespace(namespace.as_fd(), process).ok()
    }

    /// What the processes of these numbers in the caller's pid namespace are called
    /// here, without those that are gone; none if the kernel cannot tell.
    pub(crate) fn processes_here(&self, processes: &[Process]) -> Result<Option<Vec<Process>>> {
        let namespace = self.open(Kind::Pid)?;
        let mut here = Vec::with_capacity(processes.len());
        for process in processes {
            match sys::process_of_namespace(namespace.as_fd(), process.pid) {
                Ok(pid) => here.push(Process { pid, ..*process }),
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    pub(crate) fn open(&self, kind: Kind) -> Result<OwnedFd> {
        rustix::fs::open(
            self.path(kind),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|errno| Error::Caller(errno.into()))
    }

    fn inode(&self, kind: Kind) -> Result<u32> {
        let stat =
            rustix::fs::stat(self.path(kind)).map_err(|errno| Error::Caller(errno.into()))?;
        u32::try_from(stat.st_ino)
            .map_err(|_| Error::Caller(io::Error::other("a namespace's inode exceeds 32 bits")))
    }

    fn path(&self, kind: Kind) -> String {
        let name = match kind {
            Kind::Pid => "pid",
            Kind::Net => "net",
            Kind::User => "user",
        };
        format!("{}/ns/{name}", self.directory())
    }

    fn directory(&self) -> String {
        match self {
            Caller::Daemon => "/proc/self".into(),
            Caller::Thread(tid) => format!("/proc/{tid}"),
        }
    }
}

/// The inode number of this process's user namespace, which it never leaves.
fn home_user_namespace() -> Result<u32> {
    static HOME: OnceLock<u32> = OnceLock::new();
    match HOME.get() {
        Some(home) => Ok(*home),
        None => Ok(*HOME.get_or_init({
            let home = Caller::Daemon.inode(Kind::User)?;
            move || home
        })),
    }
}

/// The last of a namespace and those it is nested in before the initial one.
fn outermost(mut namespace: OwnedFd, initial: u32) -> Result<OwnedFd> {
    for _ in 0..DEEPEST {
        let parent = sys::parent_of_namespace(namespace.as_fd()).map_err(Error::Caller)?;
        if inode_of(&parent)? == initial {
            return Ok(namespace);
        }
        namespace = parent;
    }
    Err(Error::Caller(io::ErrorKind::InvalidData.into()))
}

fn inode_of(namespace: &OwnedFd) -> Result<u32> {
    let stat = rustix::fs::fstat(namespace).map_err(|errno| Error::Caller(errno.into()))?;
    u32::try_from(stat.st_ino).map_err(|_| Error::Caller(io::ErrorKind::InvalidData.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_ours_is_in_our_namespaces() {
        let thread = Caller::Thread(rustix::thread::gettid().as_raw_nonzero().get() as u32);
        assert_eq!(
            thread.pid_namespace().unwrap(),
            Caller::Daemon.pid_namespace().unwrap()
        );
        assert_eq!(
            thread.net_namespace().unwrap(),
            Caller::Daemon.net_namespace().unwrap()
        );
    }

    #[test]
    fn a_caller_that_cannot_be_seen_is_refused() {
        assert!(matches!(Caller::from_request(0), Err(Error::Caller(_))));
    }
}
