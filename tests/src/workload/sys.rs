//! System calls of the workloads that no library in use wraps.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// A timer as a descriptor, not running.
pub(super) fn timerfd() -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Maps the first page of a file to be read, for as long as the process lives.
pub(super) fn map(file: BorrowedFd<'_>) -> io::Result<()> {
    const LENGTH: usize = 4096;
    // SAFETY: a new mapping at an address of the kernel's choice replaces none, and
    // nobody gets to know where it is.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            LENGTH,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    match address == libc::MAP_FAILED {
        true => Err(io::Error::last_os_error()),
        false => Ok(()),
    }
}

/// Changes the first byte of a file by a shared mapping and maps something else in its
/// place, which has the kernel write the byte back while it changes this process's memory
/// map.
pub(super) fn change_and_map_over(file: BorrowedFd<'_>) -> io::Result<()> {
    const LENGTH: usize = 4096;
    // SAFETY: a new mapping at an address of the kernel's choice replaces none.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            LENGTH,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping made above is writable, and nobody else knows of it.
    unsafe { address.cast::<u8>().write_volatile(1) };
    // SAFETY: the new mapping replaces the one made above and nothing else.
    let over = unsafe {
        libc::mmap(
            address,
            LENGTH,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    match over == libc::MAP_FAILED {
        true => Err(io::Error::last_os_error()),
        false => Ok(()),
    }
}

/// Closes all descriptors from this number on.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: the call takes integers. The caller's process has opened no file yet
    // but those that it inherited.
    let result = unsafe { libc::close_range(first, u32::MAX, 0) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Forks; returns the child's id, and none in the child.
pub(super) fn fork() -> io::Result<Option<u32>> {
    // SAFETY: the process has a single thread, so the child may do what it could.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(pid as u32)),
    }
}

/// A copy of a descriptor that this process inherited.
pub(super) fn copy(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes integers, and fails if there is no such descriptor.
    let fd = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens an inode of a FUSE filesystem by its number with O_PATH, by a file handle as
/// the kernel would have made it (fs/fuse/inode.c, fuse_encode_fh()).
pub(super) fn open_by_handle(mount: &std::fs::File, inode: u64) -> io::Result<OwnedFd> {
    /// FILEID_INO64_GEN (include/linux/exportfs.h).
    const KIND: i32 = 0x81;

    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        words: [u32; 3],
    }
    let handle = Handle {
        bytes: 12,
        kind: KIND,
        words: [(inode >> 32) as u32, inode as u32, 0],
    };
    // SAFETY: the handle has the layout of struct file_handle, followed by as many bytes
    // as it says, and outlives the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            ptr::from_ref(&handle),
            libc::O_PATH | libc::O_CLOEXEC,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
