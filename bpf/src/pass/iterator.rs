//! The only loop that reads iterators.

use crate::pass::briefing::Briefing;
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::error::{Error, Result};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// The most consecutive steps without output. The kernel returns EAGAIN both after a million
/// objects without output and after a program asked to be called again for the same object (by
/// returning 1), which a program may do for ever. No table has ten thousand million objects.
const MAX_FRUITLESS: u32 = 10_000;

/// An iterator's file descriptor, and what its program is told.
pub(crate) struct Iterator {
    fd: OwnedFd,
    briefing: Briefing,
    fruitless: u32,
}

impl Iterator {
    /// An iterator whose program gets this briefing before each read.
    pub(crate) fn new(fd: OwnedFd, briefing: Briefing) -> Iterator {
        Iterator {
            fd,
            briefing,
            fruitless: 0,
        }
    }
}

impl Source for Iterator {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        self.briefing.give()?;
        loop {
            return match rustix::io::read(&self.fd, &mut *buffer) {
                Ok(0) => Ok(Progress::End),
                Ok(bytes) => {
                    self.fruitless = 0;
                    Ok(Progress::Bytes(bytes))
                }
                Err(Errno::INTR) => continue,
                // The walk passed a million objects without output (bpf_iter.c,
                // MAX_ITER_OBJECTS), or the program asked for the same object again: read
                // again.
                Err(Errno::AGAIN) => {
                    self.fruitless += 1;
                    match self.fruitless < MAX_FRUITLESS {
                        true => Ok(Progress::Nothing),
                        false => Err(Error::Endless),
                    }
                }
                // The kernel cannot continue a walk over cgroups whose buffer was full
                // (cgroup_iter.c, cgroup_iter_seq_start()). No other target returns this.
                Err(Errno::OPNOTSUPP) => Err(Error::TooManyCgroups),
                Err(errno) => Err(Error::Pass(errno.into())),
            };
        }
    }
}

/// A pass without rows.
pub(crate) struct Nothing;

impl Source for Nothing {
    fn read(&mut self, _: &mut [u8]) -> Result<Progress> {
        Ok(Progress::End)
    }
}
