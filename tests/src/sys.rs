//! System calls that the fixtures need and the standard library does not offer.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the kernel send SIGTERM to the command's process when this thread ends,
/// however it ends, so that no daemon outlives its test.
pub(crate) fn end_with_this_thread(command: &mut Command) {
    // SAFETY: between fork and exec only prctl(2) is called, which is a system
    // call and async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
            Ok(())
        });
    }
}

/// Has the command's process inherit descriptors that are closed on exec here.
pub(crate) fn inherit(command: &mut Command, descriptors: Vec<RawFd>) {
    // SAFETY: between fork and exec only fcntl(2) is called, which is async-signal-safe;
    // the numbers were moved in before, so nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            for descriptor in &descriptors {
                if libc::fcntl(*descriptor, libc::F_SETFD, 0) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
}

/// Makes the command's process begin a session whose terminal is its standard input.
pub(crate) fn on_terminal(command: &mut Command) {
    // SAFETY: between fork and exec only setsid(2) and ioctl(2) are called, which are system
    // calls and async-signal-safe; the descriptor is open, being standard input.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(BorrowedFd::borrow_raw(0))?;
            Ok(())
        });
    }
}

/// Tells autofs that what it asked for is mounted, or that it cannot be (linux/auto_fs.h,
/// AUTOFS_IOC_READY and AUTOFS_IOC_FAIL).
pub(crate) fn answer_autofs(root: BorrowedFd<'_>, token: u32, mounted: bool) -> io::Result<()> {
    let request = match mounted {
        true => 0x9360,
        false => 0x9361,
    };
    // SAFETY: both take a number and touch no memory of this process.
    match unsafe { libc::ioctl(root.as_raw_fd(), request, libc::c_ulong::from(token)) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
