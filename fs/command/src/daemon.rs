//! Leaving the foreground.
//!
//! `iterfs mount` starts itself again as the daemon, whose standard output is a
//! pipe to the one that waits: the daemon writes one word when the mount
//! answers, or one line that says why it will not. Nothing forks with threads
//! running.

use crate::sys;
use anyhow::{Context, Result};
use rustix::fs::{Dir, Mode, OFlags};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Command, ExitCode, Stdio};

/// What the daemon says when the mount answers.
const READY: &str = "ready\n";

/// The flag that makes a process the daemon.
pub(crate) const FLAG: &str = "--daemon";

/// Starts the daemon with this process's arguments, the command's name first,
/// and waits for its word.
pub(crate) fn start(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
    let program = std::env::current_exe().context("this program's file is not known")?;
    let mut arguments = arguments.into_iter();
    let mut daemon = Command::new(program)
        .args(arguments.next())
        // Not at the end, where a `--` of the user's may make it an operand.
        .arg(FLAG)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("the daemon cannot be started")?;
    let mut word = String::new();
    if let Some(mut output) = daemon.stdout.take() {
        output
            .read_to_string(&mut word)
            .context("the daemon cannot be heard")?;
    }
    if word == READY {
        return Ok(ExitCode::SUCCESS);
    }
    let status = daemon.wait().context("the daemon cannot be waited for")?;
    match word.trim_end() {
        "" => eprintln!("iterfs: the daemon ended before the mount answered ({status})"),
        line => eprintln!("{line}"),
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.filter(|code| *code != 0).unwrap_or(1)))
}

/// Descriptors that the daemon was started with, standard input, output and error aside.
///
/// The lock of a flock(1) or the end of somebody's pipe may be among them, which would
/// stay open for as long as the mount does.
#[derive(Debug)]
pub(crate) struct Inherited(Vec<RawFd>);

impl Inherited {
    /// Notes what is open. Must come before this process opens anything of its own.
    pub(crate) fn note() -> Inherited {
        Inherited(open_descriptors().unwrap_or_default())
    }

    /// Closes them. Until then, a path such as `/dev/fd/3` still leads to one.
    fn close(self) {
        sys::close_inherited(&self.0);
    }
}

fn open_descriptors() -> rustix::io::Result<Vec<RawFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open("/proc/self/fd", flags, Mode::empty())?;
    let own = directory.as_raw_fd();
    let mut open = Vec::new();
    for entry in Dir::new(directory)? {
        let number = entry?
            .file_name()
            .to_str()
            .ok()
            .and_then(|name| name.parse().ok());
        open.extend(number.filter(|number: &RawFd| *number > 2 && *number != own));
    }
    Ok(open)
}

/// Detaches from whoever started the daemon, once the mount answers, and tells the
/// process that waits for it.
///
/// Not earlier: an automounter lets only processes of its own process group through to
/// the directory while it waits for the mount, and has all others wait, too (autofs,
/// fs/autofs/root.c, autofs_d_manage()).
pub(crate) fn ready(inherited: Inherited) -> Result<()> {
    rustix::process::setsid().context("a new session cannot be made")?;
    // The working directory may be the one that is mounted on.
    rustix::process::chdir("/").context("the root directory cannot be entered")?;
    inherited.close();
    let mut output = std::io::stdout();
    output
        .write_all(READY.as_bytes())
        .and_then(|()| output.flush())
        .context("nobody waits for the mount")?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).context("/dev/null")?;
    rustix::stdio::dup2_stdout(null).context("standard output cannot be closed")
}
