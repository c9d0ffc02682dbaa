//! Runs work in another net namespace.

use crate::host::namespaces::{self, Kind};
use iterfs_mapping::error::{Error, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

/// The net namespace that this process belongs to.
#[derive(Debug)]
pub(crate) struct Home(OwnedFd);

impl Home {
    /// The net namespace of this thread.
    pub(crate) fn here() -> Result<Home> {
        namespaces::open(None, Kind::Net).map(Home)
    }

    /// Runs `work` in another net namespace, on this thread.
    ///
    /// # Panics
    /// If the thread cannot return to its own namespace: it must end, because it would serve
    /// requests in the wrong one.
    pub(crate) fn away<T>(
        &self,
        namespace: BorrowedFd<'_>,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        enter(namespace)?;
        let _back = Back(self.0.as_fd());
        work()
    }
}

/// Runs `work` in another net namespace on a separate thread, which never returns to the own
/// one. This is for callers that would catch the panic of a thread that cannot return.
pub(crate) fn aside<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("netns".into())
            .spawn_scoped(scope, || {
                enter(namespace)?;
                work()
            })
            .map_err(Error::Namespace)?;
        worker
            .join()
            .unwrap_or_else(|_| Err(Error::Namespace(io::Error::other("the thread panicked"))))
    })
}

fn enter(namespace: BorrowedFd<'_>) -> Result<()> {
    move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))
        .map_err(|errno| Error::Namespace(errno.into()))
}

/// Returns the thread to its own namespace when dropped, even while it panics.
struct Back<'a>(BorrowedFd<'a>);

impl Drop for Back<'_> {
    #[allow(clippy::panic)] // The thread must end, and only a panic ends it.
    fn drop(&mut self) {
        if let Err(error) = enter(self.0) {
            tracing::error!("a thread cannot leave a net namespace, so it ends: {error}");
            // If the thread is already panicking, this ends the process.
            panic!("a thread cannot leave a net namespace: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn own() -> OwnedFd {
        namespaces::open(None, Kind::Net).unwrap()
    }

    #[test]
    fn the_outcome_of_the_work_is_returned() {
        let home = Home::here().unwrap();
        let there = own();
        assert!(home.away(there.as_fd(), || Ok(())).is_ok());
        let failed = home.away(there.as_fd(), || Err::<(), _>(Error::NoNamespace(1)));
        assert!(failed.is_err());
        // If the namespace cannot be entered, the work does not run.
        let nothing = OwnedFd::from(File::open("/dev/null").unwrap());
        let entered = home.away(nothing.as_fd(), || -> Result<()> { unreachable!() });
        assert!(entered.is_err());
    }

    #[test]
    fn a_thread_that_cannot_return_ends() {
        let lost = Home(File::open("/dev/null").unwrap().into());
        let there = own();
        let thread = thread::spawn(move || lost.away(there.as_fd(), || Ok(())));
        assert!(thread.join().is_err());
    }
}
