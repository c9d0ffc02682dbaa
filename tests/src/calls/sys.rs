//! The calls themselves.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Of whom a mapping's writes are seen.
#[derive(Clone, Copy, Debug)]
pub enum Sharing {
    /// MAP_SHARED.
    Shared,
    /// MAP_PRIVATE.
    Private,
}

/// Maps the first page of a file to be read, and unmaps it untouched.
pub fn map(file: BorrowedFd<'_>, sharing: Sharing) -> io::Result<()> {
    const LENGTH: usize = 4096;
    let flags = match sharing {
        Sharing::Shared => libc::MAP_SHARED,
        Sharing::Private => libc::MAP_PRIVATE,
    };
    // SAFETY: a new mapping at an address of the kernel's choice replaces none.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            LENGTH,
            libc::PROT_READ,
            flags,
            file.as_raw_fd(),
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping made above, to which nobody has a reference.
    unsafe { libc::munmap(address, LENGTH) };
    Ok(())
}

/// An ioctl whose answer, if any, is thrown away.
pub fn ioctl(file: BorrowedFd<'_>, request: libc::c_ulong) -> io::Result<()> {
    // More than any request that the tests make would write.
    let mut answer = [0u64; 32];
    // SAFETY: the buffer outlives the call and is larger than what it may write.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), request, answer.as_mut_ptr()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
