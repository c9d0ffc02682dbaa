//! Loads the objects of users in a process that serves no other purpose.
//!
//! An object is an ELF file with BTF in it, and libelf, libbpf and libbpf-rs take it
//! apart in memory. A flaw in any of them, met by an object that is broken or made to
//! break them, would end or corrupt the process that opens it. So the daemon opens none:
//! for each object it starts this program again, with one argument ([`COMMAND`]), and
//! that [`child`] reads the file, loads the chosen program and passes its descriptor
//! back with what the daemon needs to know about it ([`message`]), then exits. If the
//! child crashes, hangs or takes too much, the object is refused and nothing else
//! happens.
//!
//! The child has the privileges of the daemon: this is a defence against accidents with
//! objects, which are root's own, not against the programs in them.

mod channel;
mod child;
mod message;

use crate::load::loader::{Loaded, SharedReaders};
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

/// This program, even if its file was replaced or removed since it was started.
const PROGRAM: &str = "/proc/self/exe";

/// How long a child may take. The verifier takes seconds over the largest programs that
/// it accepts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Loads the program of an object. `map` is a map that exists already, to be put in
/// place of one that the object declares alike.
///
/// # Errors
/// Those of reading and loading the object; [`Error::ObjectProcess`] if no process can
/// be started; [`Error::ObjectCrash`] and [`Error::ObjectTimeout`] if it did not come
/// back with an answer.
pub(crate) fn load(
    file: &ObjectFile,
    map: Option<BorrowedFd<'_>>,
    shared: &SharedReaders,
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
        // It went before it said anything: the status is its own.
        (ErrorKind::UnexpectedEof, Some(status)) => {
            Error::ObjectCrash(file.name(), status.to_string())
        }
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
        groups: None,
    })
}

/// Starts a child, whose standard input is the other end of the channel.
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

/// Ends a child that has answered or will not; says how it ended, if that is known.
fn end(mut child: Child, deadline: Instant) -> Option<ExitStatus> {
    let late = Instant::now() >= deadline;
    // One that has exited or crashed keeps the status it has.
    let _ = child.kill();
    if !late {
        return child.wait().ok();
    }
    // The file may be on a device that does not answer, and then not even a killed
    // process goes away. If no thread can be started, it stays a zombie.
    let _ = thread::Builder::new()
        .name("reaper".into())
        .spawn(move || child.wait());
    None
}
