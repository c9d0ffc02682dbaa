//! The calls themselves.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// The processes that see a write to a mapping.
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

/// Reads by Linux AIO (io_submit(2)) and waits for what comes of it.
pub fn read_by_aio(file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    const IOCB_CMD_PREAD: u16 = 0;

    /// struct io_event (include/uapi/linux/aio_abi.h).
    #[repr(C)]
    #[derive(Default)]
    struct Event {
        data: u64,
        obj: u64,
        res: i64,
        res2: i64,
    }
    let check = |result: libc::c_long| match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    };
    let mut context: libc::c_ulong = 0;
    // SAFETY: the call writes a number to the context, which outlives it.
    check(unsafe { libc::syscall(libc::SYS_io_setup, 1, &raw mut context) })?;
    // SAFETY: all of the structure's members are integers, of which 0 is one.
    let mut request: libc::iocb = unsafe { std::mem::zeroed() };
    request.aio_lio_opcode = IOCB_CMD_PREAD;
    request.aio_fildes = file.as_raw_fd() as u32;
    request.aio_buf = buffer.as_mut_ptr() as u64;
    request.aio_nbytes = buffer.len() as u64;
    request.aio_offset = offset as i64;
    let requests = [&raw mut request];
    let mut event = Event::default();
    // SAFETY: the request and its buffer outlive the read, which is waited for below, or
    // by the destruction of the context.
    let read = check(unsafe { libc::syscall(libc::SYS_io_submit, context, 1, requests.as_ptr()) })
        .and_then(|_| {
            // SAFETY: there is room for the one event.
            let got = unsafe {
                libc::syscall(
                    libc::SYS_io_getevents,
                    context,
                    1,
                    1,
                    &raw mut event,
                    ptr::null::<libc::timespec>(),
                )
            };
            check(got)
        });
    // SAFETY: the context was made above and is used no more.
    unsafe { libc::syscall(libc::SYS_io_destroy, context) };
    read?;
    result(event.res)
}

/// Reads by io_uring; without an offset, from the current position.
pub fn read_by_io_uring(
    file: BorrowedFd<'_>,
    buffer: &mut [u8],
    offset: Option<u64>,
) -> io::Result<usize> {
    let mut ring = io_uring::IoUring::new(1)?;
    let descriptor = io_uring::types::Fd(file.as_raw_fd());
    let read = io_uring::opcode::Read::new(descriptor, buffer.as_mut_ptr(), buffer.len() as u32)
        .offset(offset.unwrap_or(u64::MAX))
        .build();
    // SAFETY: the buffer and the file outlive the read, which is waited for.
    unsafe { ring.submission().push(&read) }.map_err(io::Error::other)?;
    ring.submit_and_wait(1)?;
    let completed = ring.completion().next();
    result(completed.map_or(0, |completed| completed.result().into()))
}

fn result(result: i64) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result as i32))
}
