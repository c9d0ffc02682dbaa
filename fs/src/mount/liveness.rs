//! Whether anybody serves a FUSE mount.

use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// How long a server may take over an answer. It is not long for one that is busy: the
/// daemon answers statfs(2) at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of a request to a FUSE server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Liveness {
    /// The server answered.
    Alive,
    /// The kernel has no connection to a server any more, or has given it up.
    Dead,
    /// Neither happened within [`PATIENCE`].
    Silent,
}

/// Asks the server of the filesystem that a descriptor refers to.
///
/// The request is statfs(2), of which the kernel caches nothing: attributes of a dead
/// mount may be cached, so stat(2) can succeed there.
///
/// # Errors
/// If no thread can be started to wait for the answer.
pub(super) fn ask(descriptor: &OwnedFd) -> io::Result<Liveness> {
    let descriptor = descriptor.try_clone()?;
    let (answer, answered) = channel();
    // A hanging server holds up that thread alone, which ends with the process: the
    // kernel lets go of a request that was not read yet (fs/fuse/dev.c,
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
