//! Works in another net namespace.

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
    /// The one it is in now.
    pub(crate) fn here() -> Result<Home> {
        namespaces::open(None, Kind::Net).map(Home)
    }

    /// Runs `work` in another net namespace, on this thread.
    ///
    /// # Panics
    /// If the thread cannot get back: so it ends, and serves nobody where it is.
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

/// Runs `work` in another net namespace on a thread made for it, which never comes
/// back: where a thread that is lost would not end, but be caught.
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

/// Takes the thread back when dropped, however that comes about.
struct Back<'a>(BorrowedFd<'a>);

impl Drop for Back<'_> {
    #[allow(clippy::panic)] // What ends a thread, and it must end.
    fn drop(&mut self) {
        if let Err(error) = enter(self.0) {
            tracing::error!("a thread cannot leave a net namespace and ends: {error}");
            // While it panics already, this ends the process.
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
    fn what_the_work_comes_to_is_told() {
        let home = Home::here().unwrap();
        let there = own();
        assert!(home.away(there.as_fd(), || Ok(())).is_ok());
        let failed = home.away(there.as_fd(), || Err::<(), _>(Error::NoNamespace(1)));
        assert!(failed.is_err());
        // Where there is nothing to enter, nothing is done.
        let nothing = OwnedFd::from(File::open("/dev/null").unwrap());
        let entered = home.away(nothing.as_fd(), || -> Result<()> { unreachable!() });
        assert!(entered.is_err());
    }

    #[test]
    fn a_thread_that_cannot_get_back_ends() {
        let lost = Home(File::open("/dev/null").unwrap().into());
        let there = own();
        let thread = thread::spawn(move || lost.away(there.as_fd(), || Ok(())));
        assert!(thread.join().is_err());
    }
}
