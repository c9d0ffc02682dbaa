//! Callers that may exit while facts about them are in use.

use crate::host::callers::directory;
use crate::host::namespaces::{self, Kind};
use iterfs_mapping::Caller;
use iterfs_mapping::contract::Held;
use iterfs_mapping::error::{Error, Result};
use rustix::fs::{CWD, Mode, OFlags};
use std::os::fd::{AsFd, OwnedFd};

/// A thread, by its directory in /proc. Once the thread has exited, no name is found there,
/// even if another thread has the same id by then (fs/proc/base.c, get_proc_task()).
pub(crate) struct HeldThread {
    directory: OwnedFd,
    caller: Caller,
}

impl HeldThread {
    /// Holds a caller's thread.
    pub(crate) fn new(caller: &Caller) -> Result<HeldThread> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = directory(caller.thread);
        let directory = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|errno| Error::Caller(errno.into()))?;
        Ok(HeldThread {
            directory,
            caller: *caller,
        })
    }
}

impl Held for HeldThread {
    fn is_there(&self) -> bool {
        let is_in = |kind, inode| {
            namespaces::inode_in(self.directory.as_fd(), kind).is_ok_and(|found| found == inode)
        };
        is_in(Kind::Pid, self.caller.pid_namespace)
            && is_in(Kind::Net, self.caller.net_namespace)
            && is_in(Kind::User, self.caller.user_namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::callers::Callers;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn a_thread_is_there_until_it_exits() {
        let callers = Callers::new().unwrap();
        let (say, said) = channel();
        let (let_go, wait) = channel::<()>();
        let thread = thread::spawn(move || {
            say.send(rustix::thread::gettid().as_raw_nonzero().get() as u32)
                .unwrap();
            let _ = wait.recv();
        });
        let caller = callers.identify(said.recv().unwrap()).unwrap();
        let held = HeldThread::new(&caller).unwrap();
        assert!(held.is_there());
        let elsewhere = Caller {
            net_namespace: 1,
            ..caller
        };
        assert!(!HeldThread::new(&elsewhere).unwrap().is_there());
        drop(let_go);
        thread.join().unwrap();
        // The kernel takes the thread out of /proc shortly after it ends.
        let deadline = Instant::now() + Duration::from_secs(20);
        while held.is_there() {
            assert!(Instant::now() < deadline, "the thread stays");
            thread::yield_now();
        }
        assert!(HeldThread::new(&caller).is_err());
    }
}
