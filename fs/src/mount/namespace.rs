//! The mount namespace to mount in.

use super::MountError;
use super::table::Mounts;
use crate::sys;
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// The mount namespace to mount in: this process's own, or another one, which a thread
/// enters only for as long as it needs it. The daemon always uses its own `/proc`, by which
/// it identifies callers.
#[derive(Clone, Debug, Default)]
pub struct Namespace {
    other: Option<(PathBuf, Arc<OwnedFd>)>,
}

impl Namespace {
    /// A namespace given by a file such as `/proc/PID/ns/mnt`.
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

    /// Runs `work` in the namespace. If that is another one, a new thread enters it and ends
    /// there.
    pub(super) fn enter<T: Send>(
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

/// Moves this thread with its own root and working directory, as setns(2) requires.
fn move_to(namespace: BorrowedFd<'_>) -> rustix::io::Result<()> {
    sys::unshare_directories()?;
    move_into_link_name_space(namespace, Some(LinkNameSpaceType::Mount))
}
