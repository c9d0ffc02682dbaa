//! Works in another net namespace.

use crate::error::{Error, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::io;
use std::os::fd::BorrowedFd;
use std::thread;

/// Runs `work` in a net namespace.
///
/// On a thread made for it that never comes back: no thread of ours that goes on
/// can be left in a namespace that is not its own.
pub(crate) fn in_net_namespace<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new()
            .name("netns".into())
            .spawn_scoped(scope, || {
                move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))
                    .map_err(|errno| Error::Namespace(errno.into()))?;
                work()
            })
            .map_err(Error::Namespace)?;
        worker
            .join()
            .unwrap_or_else(|_| Err(Error::Namespace(io::Error::other("the thread panicked"))))
    })
}
