//! The one system call that the libraries offer only as unsafe.
#![allow(unsafe_code)]

use rustix::thread::UnshareFlags;

/// Gives this thread a root and working directory of its own (unshare(2), CLONE_FS).
pub(crate) fn unshare_directories() -> rustix::io::Result<()> {
    // SAFETY: only CLONE_FILES is unsafe, which would take descriptors from under
    // those who borrow them. This flag leaves them alone.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }
}
