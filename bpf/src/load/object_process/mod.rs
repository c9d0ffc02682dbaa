//! Loads user objects in a process that serves no other purpose.
//!
//! An object is an ELF file with BTF, which libelf, libbpf and libbpf-rs parse in memory. A
//! broken or malicious object that triggers a flaw in one of them could crash or corrupt the
//! process that opens it. The daemon therefore opens none: for each object it runs this program
//! again with one argument ([`COMMAND`]). That [`child`] reads the file, loads the chosen
//! program, passes its descriptor back with the facts that the daemon needs ([`message`]), and
//! exits. If the child crashes, hangs or uses too many resources, the daemon refuses the object
//! and nothing else happens.
//!
//! The child has the privileges of the daemon: this protects against faulty objects, which come
//! from root, and not against the programs in them.

mod channel;
mod child;
mod message;

use crate::load::loader::{Loaded, SharedMaps};
use channel::Channel;
pub use child::serve;
use iterfs_mapping::contract::ObjectFile;
use iterfs_mapping::error::{Error, Result};
use message::{Reply, Request};
use std::io::{self, ErrorKind};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The argument that makes a program with this library call [`serve`].
pub const COMMAND: &str = "load-object";

/// The running program, even if its file was replaced or removed since.
const PROGRAM: &str = "/proc/self/exe";

/// The time limit of a child. The verifier takes seconds for the largest programs that it
/// accepts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Loads the program of an object. `map` is an existing map that replaces one that the object
/// declares with the same shape.
///
/// # Errors
/// Those of reading and loading the object; [`Error::ObjectProcess`] if no process can be
/// started; [`Error::ObjectCrash`] and [`Error::ObjectTimeout`] if the process did not reply.
pub(crate) fn load(
    file: &ObjectFile,
    map: Option<BorrowedFd<'_>>,
    shared: &SharedMaps,
) -> Result<Loaded> {
    let readers = shared.of_our_programs()?;
    let request = Request::new(file, map.is_some());
    let mut descriptors = vec![readers.fd()];
    descriptors.extend(map);

    let deadline = Instant::now() + PATIENCE;
    let (channel, child) = start().map_err(Error::ObjectProcess)?;
    let answer = channel
        .send(&request, &descriptors)
        .and_then(|()| channel.receive::<Reply>(Some(deadline)));
    let status = end(child, deadline);

    let lost = |error: io::Error| match (error.kind(), status) {
        (ErrorKind::TimedOut, _) => Error::ObjectTimeout(file.name()),
        // The child exited before it replied, or even before it read the request, so the status
        // is its own.
        (
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe,
            Some(status),
        ) => Error::ObjectCrash(file.name(), status.to_string()),
        _ => Error::ObjectCrash(file.name(), error.to_string()),
    };
    let (reply, descriptors) = answer.map_err(lost)?;
    let program = descriptors.into_iter().next();
    let described = reply.into_result(file)?;
    let incomplete = |what: String| Error::ObjectCrash(file.name(), what);
    let fd: OwnedFd = program.ok_or_else(|| incomplete("it passed no program".into()))?;
    if let Some(schema) = &described.schema {
        schema.check().map_err(incomplete)?;
    }
    Ok(Loaded {
        name: file.name(),
        fd,
        target: described.target,
        schema: described.schema.map(Arc::new),
        readers: described.reads_readers.then_some(readers),
        questions: None,
        groups: None,
    })
}

/// Starts a child whose standard input is the other end of the channel.
fn start() -> io::Result<(Channel, Child)> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = Command::new(PROGRAM)
        .arg0("iterfs")
        .arg(COMMAND)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()?;
    Ok((Channel::new(ours), child))
}

/// Kills and reaps a child that has replied or never will; returns its exit status, if known by
/// the deadline.
fn end(mut child: Child, deadline: Instant) -> Option<ExitStatus> {
    let late = Instant::now() >= deadline;
    // A child that has already exited or crashed keeps its status.
    let _ = child.kill();
    if !late {
        return child.wait().ok();
    }
    // The child may be blocked on a device that does not respond, and then even SIGKILL does
    // not end it. If no thread can be started, the child stays a zombie.
    let _ = thread::Builder::new()
        .name("reaper".into())
        .spawn(move || child.wait());
    None
}
