//! The connection to the kernel: requests come out of it, replies go in.

use super::abi::OutHeader;
use fuser::Errno;
use rustix::io;
use std::io::IoSlice;
use std::os::fd::OwnedFd;
use zerocopy::IntoBytes;

/// An open /dev/fuse that serves a mount. Any thread may use it.
#[derive(Debug)]
pub(super) struct Device(OwnedFd);

impl Device {
    pub(super) fn new(fuse: OwnedFd) -> Device {
        Device(fuse)
    }

    /// Waits for the next request and returns its length. Each call returns one request.
    ///
    /// # Errors
    /// ENODEV once the mount is gone, ECONNABORTED after an abort (fuse(4),
    /// fs/fuse/dev.c).
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match io::read(&self.0, &mut *buffer) {
                // The request was withdrawn while the kernel was copying it out.
                Err(io::Errno::NOENT | io::Errno::INTR | io::Errno::AGAIN) => {}
                result => return result,
            }
        }
    }

    /// Answers a request, with bytes or an errno. Returns false if the kernel no longer
    /// knows the request, so that the caller never gets the reply.
    pub(super) fn answer(&self, unique: u64, answer: Result<&[u8], Errno>) -> bool {
        let (error, bytes) = match answer {
            Ok(bytes) => (0, bytes),
            Err(errno) => (-errno.code(), &[][..]),
        };
        let header = OutHeader {
            len: (size_of::<OutHeader>() + bytes.len()) as u32,
            error,
            unique,
        };
        let parts = [IoSlice::new(header.as_bytes()), IoSlice::new(bytes)];
        match io::writev(&self.0, &parts) {
            Ok(_) => true,
            // The request was aborted, or the mount is gone.
            Err(io::Errno::NOENT | io::Errno::NODEV) => false,
            Err(errno) => {
                tracing::error!("the kernel refused a reply: {errno}");
                false
            }
        }
    }
}
