//! System calls, and calls of the C library, that are offered only as unsafe.
#![allow(unsafe_code)]

use rustix::fd::{FromRawFd, OwnedFd, RawFd};
use std::io;
use std::ops::RangeInclusive;

/// Has this process ignore a signal.
pub(crate) fn ignore(signal: i32) -> io::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours.
    match unsafe { libc::signal(signal, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Whether this process ignores a signal, as one that nohup(1) started does SIGHUP.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null pointer changes nothing, and the other points to room for an answer.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid sigaction, and the kernel wrote a valid one over it.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// The real-time signals that the C library leaves to programs.
pub(crate) fn real_time_signals() -> RangeInclusive<i32> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

/// Closes descriptors that this process was started with.
pub(crate) fn close_inherited(descriptors: &[RawFd]) {
    for descriptor in descriptors {
        // SAFETY: it was open before any code of this process ran, and nobody but the
        // caller knows of it. So nothing here owns or borrows it.
        drop(unsafe { OwnedFd::from_raw_fd(*descriptor) });
    }
}
