//! The child process that loads one object.

use super::channel::Channel;
use super::message::{Description, Refusal, Reply, Request};
use crate::load::user_object::{self, Prepared};
use crate::load::{object_file, verifier_log};
use iterfs_mapping::error::Result;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The most memory that opening an object may take, in bytes. Object files are at most 16 MiB,
/// and the kernel's BTF is about as large.
const MAX_MEMORY: u64 = 2 * 1024 * 1024 * 1024;

/// The most processor time, in seconds.
const MAX_TIME: u64 = 50;

/// Receives the request of the parent process on standard input, loads the object, and replies
/// there.
///
/// # Errors
/// If the channel fails in either direction.
pub fn serve() -> io::Result<()> {
    verifier_log::install();
    for (resource, current, maximum) in [
        (Resource::As, MAX_MEMORY, MAX_MEMORY),
        // SIGXCPU arrives before SIGKILL, and identifies the reason.
        (Resource::Cpu, MAX_TIME, MAX_TIME + 1),
        (Resource::Core, 0, 0),
    ] {
        let limit = Rlimit {
            current: Some(current),
            maximum: Some(maximum),
        };
        // If an existing limit is lower, it stays in force.
        let _ = setrlimit(resource, limit);
    }
    let stream = rustix::stdio::stdin().try_clone_to_owned()?;
    // Nothing reads the real standard input, and the channel must close together with its copy.
    let channel = Channel::new(UnixStream::from(stream));
    let (request, descriptors) = channel.receive::<Request>(None)?;
    let (reply, program) = match load(request, descriptors) {
        Ok(Prepared {
            fd,
            target,
            schema,
            reads_readers,
        }) => {
            let description = Description {
                target,
                schema,
                reads_readers,
            };
            (Reply::Loaded(description), Some(fd))
        }
        Err(error) => (Reply::Refused(Refusal::from(error)), None),
    };
    let program: Vec<_> = program.iter().map(AsFd::as_fd).collect();
    channel.send(&reply, &program)
}

fn load(request: Request, descriptors: Vec<OwnedFd>) -> Result<Prepared> {
    let has_map = request.has_map;
    let file = request.file();
    let mut descriptors = descriptors.into_iter();
    let missing = || object_file::bad(&file, "the process that loads it was not passed its maps");
    let readers = descriptors.next().ok_or_else(missing)?;
    let map = match has_map {
        true => Some(descriptors.next().ok_or_else(missing)?),
        false => None,
    };
    user_object::prepare(&file, readers.as_fd(), map.as_ref().map(AsFd::as_fd))
}
