//! The socket options that no library in use wraps.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Keeps connections half open until data comes: the handshake's last
/// acknowledgement is ignored for so long (tcp(7), TCP_DEFER_ACCEPT).
pub(super) fn defer_accept(listener: &impl AsFd, seconds: i32) -> io::Result<()> {
    // SAFETY: the kernel reads one integer, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            listener.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of_val(&seconds) as libc::socklen_t,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
