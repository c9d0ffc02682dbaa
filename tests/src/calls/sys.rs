//! The calls themselves.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
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

/// Has the kernel count how often and how long BPF programs run, until the
/// descriptor is closed (BPF_ENABLE_STATS, bpf(2)).
pub fn bpf_statistics() -> io::Result<OwnedFd> {
    const BPF_ENABLE_STATS: libc::c_int = 32;
    const BPF_STATS_RUN_TIME: u32 = 0;
    let kind = BPF_STATS_RUN_TIME;
    // SAFETY: the attributes of this command are the one number, whose size is told.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_ENABLE_STATS,
            ptr::from_ref(&kind),
            size_of_val(&kind),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
