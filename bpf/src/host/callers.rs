//! Reads the namespaces, user and rights of a calling thread from /proc.
//!
//! A caller that waits for its reply cannot exit, so its `/proc/<tid>` is valid while its
//! request is served, but no longer.

use crate::host::namespaces::{self, Kind};
use crate::sys;
use iterfs_mapping::caller::INITIAL_PID_NAMESPACE;
use iterfs_mapping::contract::Process;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::{Caller, Tenant, User};
use rustix::fs::OFlags;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

/// The most descriptors that [`Callers::has_open`] examines.
const DESCRIPTORS_SEARCHED: usize = 256;

/// The system calls in which a thread waits that reads asynchronously. None of them reads a
/// file. On a kernel that also runs another architecture, these numbers may mean other calls
/// there, but none of those reads a file either.
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

/// Identifies callers, and holds the daemon's own facts.
#[derive(Debug)]
pub(crate) struct Callers {
    daemon: Caller,
}

impl Callers {
    /// Reads the facts about this process, which never leaves its pid and user namespaces.
    ///
    /// # Errors
    /// [`Error::Caller`] if `/proc` is not mounted.
    pub(crate) fn new() -> Result<Callers> {
        let daemon = facts(None)?;
        Ok(Callers {
            daemon: Caller {
                is_on_host: daemon.is_in_initial_pid_namespace(),
                ..daemon
            },
        })
    }

    /// The daemon, which is this process.
    pub(crate) fn daemon(&self) -> Caller {
        self.daemon
    }

    /// See [`iterfs_mapping::contract::Callers::identify`].
    pub(crate) fn identify(&self, thread: u32) -> Result<Caller> {
        if thread == 0 {
            return Err(Error::Caller(io::ErrorKind::PermissionDenied.into()));
        }
        let caller = facts(Some(thread))?;
        Ok(Caller {
            is_on_host: caller.is_in_initial_pid_namespace()
                && caller.user_namespace == self.daemon.user_namespace,
            ..caller
        })
    }

    /// See [`iterfs_mapping::contract::Callers::tenant`].
    pub(crate) fn tenant(&self, caller: &Caller, uid: u32) -> Result<Tenant> {
        if caller.is_on_host {
            let container = None;
            return Ok(Tenant { uid, container });
        }
        let home = self.daemon.user_namespace;
        let is_in_user_namespace = caller.user_namespace != home;
        let is_in_pid_namespace = !caller.is_in_initial_pid_namespace();
        let outermost =
            |kind, initial| namespaces::outermost(namespaces::open(caller.thread, kind)?, initial);
        let user = is_in_user_namespace.then(|| outermost(Kind::User, home));
        let user = user.transpose()?;
        let owner = user
            .as_ref()
            .map(|user| sys::owner_of_user_namespace(user.as_fd()).map_err(Error::Caller));
        let owner = owner.transpose()?.filter(|owner| *owner != 0);
        let pid = is_in_pid_namespace.then(|| outermost(Kind::Pid, INITIAL_PID_NAMESPACE));
        let made_by_root = pid.transpose()?.map(|pid| {
            let of = sys::user_namespace_of(pid.as_fd()).map_err(Error::Caller)?;
            Ok((namespaces::inode_of(&of)? == home).then_some(namespaces::inode_of(&pid)?))
        });
        let container = match made_by_root.transpose()?.flatten() {
            Some(pid) => Some(pid),
            None if owner.is_none() => user.map(|user| namespaces::inode_of(&user)).transpose()?,
            None => None,
        };
        Ok(Tenant {
            uid: owner.unwrap_or(uid),
            container,
        })
    }

    /// See [`iterfs_mapping::contract::Callers::user`].
    pub(crate) fn user(&self, caller: &Caller) -> Result<User> {
        let status = status(caller)?;
        let namespace = namespaces::open(caller.thread, Kind::User)?;
        let owner = sys::owner_of_user_namespace(namespace.as_fd()).map_err(Error::Caller)?;
        let odd = || Error::Caller(io::ErrorKind::InvalidData.into());
        Ok(User {
            user_namespace: caller.user_namespace,
            namespace_owner: owner,
            ..credentials(&status).ok_or_else(odd)?
        })
    }

    /// See [`iterfs_mapping::contract::Callers::has_open`]. Before Linux 5.14 the kernel does
    /// not report the inode number of a descriptor, and the result is false. A descriptor made
    /// with O_PATH opens nothing and does not count.
    pub(crate) fn has_open(&self, caller: &Caller, inode: u64) -> Result<bool> {
        let directory = format!("{}/fdinfo", directory(caller.thread));
        let entries = fs::read_dir(directory).map_err(Error::Caller)?;
        let mut open = entries.take(DESCRIPTORS_SEARCHED).filter_map(|entry| {
            // Another thread may close a descriptor meanwhile.
            let text = fs::read_to_string(entry.ok()?.path()).ok()?;
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            let flags = u32::from_str_radix(field("flags:")?.trim(), 8).ok()?;
            let is_path = OFlags::from_bits_retain(flags).contains(OFlags::PATH);
            let found: u64 = field("ino:")?.trim().parse().ok()?;
            Some(found == inode && !is_path)
        });
        Ok(open.any(|found| found))
    }

    /// Translates process ids of a caller's pid namespace to those of this one, in the same
    /// order and without processes that are gone; none if the kernel cannot translate them
    /// (before 6.11).
    pub(crate) fn translated(
        &self,
        caller: &Caller,
        processes: &[Process],
    ) -> Result<Option<Vec<Process>>> {
        let namespace = namespaces::open(caller.thread, Kind::Pid)?;
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

    /// Translates one process id of a caller's pid namespace to that of this one; none if the
    /// process is gone, or if the kernel cannot translate it (before 6.11).
    pub(crate) fn translated_process(&self, caller: &Caller, process: u32) -> Option<u32> {
        let namespace = namespaces::open(caller.thread, Kind::Pid).ok()?;
        sys::process_of_namespace(namespace.as_fd(), process).ok()
    }
}

/// See [`iterfs_mapping::contract::Callers::reads_asynchronously`].
pub(crate) fn reads_asynchronously(thread: u32) -> bool {
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_micros(50);
    let path = format!("{}/syscall", directory(Some(thread)));
    for _ in 0..TRIES {
        // The thread exited and left its request behind. A thread that waits for a read cannot
        // do that.
        let Ok(call) = fs::read_to_string(&path) else {
            return true;
        };
        match call.split_whitespace().next() {
            // A thread that has just sent its request is about to wait.
            Some("running") => thread::sleep(PAUSE),
            // The number of a system call, or -1 outside of one, as for a thread of io_uring.
            Some(number) => {
                let number = number.parse().unwrap_or_default();
                return number == -1 || WAITS.contains(&number);
            }
            None => return false,
        }
    }
    false
}

/// The namespaces of a thread, or of this process.
fn facts(thread: Option<u32>) -> Result<Caller> {
    Ok(Caller {
        thread,
        pid_namespace: namespaces::inode(thread, Kind::Pid)?,
        net_namespace: namespaces::inode(thread, Kind::Net)?,
        user_namespace: namespaces::inode(thread, Kind::User)?,
        is_on_host: false,
    })
}

/// See [`iterfs_mapping::contract::Callers::groups`].
pub(crate) fn groups(caller: &Caller) -> Result<Vec<u32>> {
    let status = status(caller)?;
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    let groups = groups.unwrap_or_default().split_whitespace();
    Ok(groups.filter_map(|group| group.parse().ok()).collect())
}

fn status(caller: &Caller) -> Result<String> {
    let path = format!("{}/status", directory(caller.thread));
    fs::read_to_string(path).map_err(Error::Caller)
}

/// The ids and capabilities in a `status` file of /proc (proc_pid_status(5)). The crate procfs
/// would build a map of all its lines, at each open by a user other than root.
fn credentials(status: &str) -> Option<User> {
    let field = |key: &str, at: usize| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().nth(at)
    };
    // The ids are in the order real, effective, saved, filesystem.
    Some(User {
        uid: field("Uid:", 0)?.parse().ok()?,
        gid: field("Gid:", 0)?.parse().ok()?,
        effective: field("Uid:", 1)?.parse().ok()?,
        capabilities: u64::from_str_radix(field("CapEff:", 0)?, 16).ok()?,
        ..User::default()
    })
}

/// The directory in /proc of a thread, or of this process.
pub(crate) fn directory(thread: Option<u32>) -> String {
    match thread {
        None => "/proc/self".into(),
        Some(thread) => format!("/proc/{thread}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_thread() -> u32 {
        rustix::thread::gettid()
            .as_raw_nonzero()
            .get()
            .unsigned_abs()
    }

    #[test]
    fn a_thread_of_this_process_is_in_its_namespaces() {
        let callers = Callers::new().unwrap();
        let thread = callers.identify(this_thread()).unwrap();
        assert_eq!(
            thread,
            Caller {
                thread: Some(this_thread()),
                ..callers.daemon()
            }
        );
        assert!(thread.is_on_host);
    }

    #[test]
    fn a_caller_that_cannot_be_seen_is_refused() {
        let callers = Callers::new().unwrap();
        assert!(matches!(callers.identify(0), Err(Error::Caller(_))));
    }

    #[test]
    fn credentials_are_read_whole_or_not_at_all() {
        let status =
            "Name:\tx\nUid:\t1000\t1001\t1002\t1003\nGid:\t7\t8\t9\t10\nCapEff:\t0000003f\n";
        let user = credentials(status).unwrap();
        assert_eq!((user.uid, user.effective, user.gid), (1000, 1001, 7));
        assert_eq!(user.capabilities, 0x3f);
        assert!(credentials("Uid:\t1000\nGid:\t7\nCapEff:\t0\n").is_none());
        assert!(credentials("Uid:\t1000\t1000\n").is_none());
    }
}
