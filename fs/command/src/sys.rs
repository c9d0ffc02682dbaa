//! System calls, and calls of the C library, that are available only as unsafe functions.
#![allow(unsafe_code)]

use rustix::fd::{FromRawFd, OwnedFd, RawFd};
use std::io;
use std::ops::RangeInclusive;

/// Makes this process ignore a signal.
pub(crate) fn ignore(signal: i32) -> io::Result<()> {
    // SAFETY: with SIG_IGN, the signal runs no code of this process.
    match unsafe { libc::signal(signal, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Whether this process ignores a signal, as one that nohup(1) started ignores SIGHUP.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the null pointer changes no action, and the other pointer refers to room for
    // the old one.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid sigaction, and the kernel wrote a valid one over it.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// The real-time signals that the C library leaves to programs.
pub(crate) fn real_time_signals() -> RangeInclusive<i32> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

/// Closes descriptors that this process inherited.
pub(crate) fn close_inherited(descriptors: &[RawFd]) {
    for descriptor in descriptors {
        // SAFETY: the descriptor was open before any code of this process ran, and only the
        // caller knows of it, so nothing in this process owns or borrows it.
        drop(unsafe { OwnedFd::from_raw_fd(*descriptor) });
    }
}
