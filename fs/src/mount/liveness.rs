//! Checks whether a server answers the requests of a FUSE mount.

use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// How long a server may take to answer. A busy server does not need long: the daemon
/// answers statfs(2) at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The outcome of a request to a FUSE server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Liveness {
    /// The server answered.
    Alive,
    /// The kernel has no connection to a server any more, or has aborted it.
    Dead,
    /// No reply came within [`PATIENCE`].
    Silent,
}

/// Sends a request to the server of the filesystem that a descriptor refers to.
///
/// The request is statfs(2), whose result the kernel never caches. It may have cached the
/// attributes of a dead mount, so stat(2) can succeed there.
///
/// # Errors
/// The thread that waits for the reply cannot be started.
pub(super) fn ask(descriptor: &OwnedFd) -> io::Result<Liveness> {
    let descriptor = descriptor.try_clone()?;
    let (answer, answered) = channel();
    // A hanging server blocks only that thread, which ends with the process: the kernel
    // drops a request that the server has not read yet (fs/fuse/dev.c,
    // request_wait_answer()).
    thread::Builder::new()
        .name("liveness".into())
        .spawn(move || {
            let _ = answer.send(rustix::fs::fstatfs(&descriptor));
        })?;
    Ok(match answered.recv_timeout(PATIENCE) {
        // ENOTCONN without a server, ECONNABORTED after an abort, ECONNREFUSED if the
        // server refused the first request (fs/fuse/dev.c, fuse_get_req()).
        Ok(Err(Errno::NOTCONN | Errno::CONNABORTED | Errno::CONNREFUSED)) => Liveness::Dead,
        Ok(_) => Liveness::Alive,
        Err(_) => Liveness::Silent,
    })
}
