//! The one loop that reads iterators.

use crate::error::{Error, Result};
use crate::reader::{Readers, Settings};
use crate::tables::{Progress, Source};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// An iterator's file descriptor, and for whom its program walks.
pub(crate) struct Iterator {
    fd: OwnedFd,
    settings: Option<(Arc<Readers>, Settings)>,
}

impl Iterator {
    /// `settings` for a program that asks who is reading.
    pub(crate) fn new(fd: OwnedFd, settings: Option<(Arc<Readers>, Settings)>) -> Iterator {
        Iterator { fd, settings }
    }
}

impl Source for Iterator {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        if let Some((readers, settings)) = &self.settings {
            readers.set_for_this_thread(*settings)?;
        }
        loop {
            return match rustix::io::read(&self.fd, &mut *buffer) {
                Ok(0) => Ok(Progress::End),
                Ok(bytes) => Ok(Progress::Bytes(bytes)),
                Err(Errno::INTR) => continue,
                // A million objects without output (bpf_iter.c, MAX_ITER_OBJECTS):
                // the kernel asks to be called again.
                Err(Errno::AGAIN) => Ok(Progress::Nothing),
                Err(errno) => Err(Error::Pass(errno.into())),
            };
        }
    }
}
