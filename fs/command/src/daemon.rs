//! Starting the daemon in the background.
//!
//! `iterfs mount` starts itself again as the daemon, whose standard output is a pipe to the
//! process that waits: the daemon writes one word once the mount is ready, or one line that
//! says why mounting failed. No process forks while it has several threads.

use crate::sys;
use anyhow::{Context, Result};
use rustix::fs::{Dir, Mode, OFlags};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Command, ExitCode, Stdio};

/// The word that the daemon writes once the mount is ready.
const READY: &str = "ready\n";

/// The flag that makes a process the daemon.
pub(crate) const FLAG: &str = "--daemon";

/// Starts the daemon with this process's arguments, the command's name first, and waits
/// until it reports.
pub(crate) fn start(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
    let program = std::env::current_exe().context("cannot find the file of this program")?;
    let mut arguments = arguments.into_iter();
    let mut daemon = Command::new(program)
        .args(arguments.next())
        // Not at the end, where a `--` from the user may turn the flag into an operand.
        .arg(FLAG)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the daemon")?;
    let mut word = String::new();
    if let Some(mut output) = daemon.stdout.take() {
        output
            .read_to_string(&mut word)
            .context("cannot read from the daemon")?;
    }
    if word == READY {
        return Ok(ExitCode::SUCCESS);
    }
    let status = daemon.wait().context("cannot wait for the daemon")?;
    match word.trim_end() {
        "" => eprintln!("iterfs: the daemon ended before the mount was ready ({status})"),
        line => eprintln!("{line}"),
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.filter(|code| *code != 0).unwrap_or(1)))
}

/// Descriptors that the daemon inherited, apart from standard input, output and error.
///
/// They may include the lock of a flock(1) or the end of another program's pipe, which
/// would stay open for as long as the mount exists.
#[derive(Debug)]
pub(crate) struct Inherited(Vec<RawFd>);

impl Inherited {
    /// Notes the open descriptors. Call this before the process opens any of its own.
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

/// Detaches from the process that started the daemon, once the mount is ready, and reports
/// to the process that waits.
///
/// This must not happen earlier: while an automounter waits for the mount, it lets only
/// processes of its own process group through to the directory, and makes all others wait
/// (autofs, fs/autofs/root.c, autofs_d_manage()).
pub(crate) fn ready(inherited: Inherited) -> Result<()> {
    rustix::process::setsid().context("cannot create a session")?;
    // The working directory may be the one that is mounted on.
    rustix::process::chdir("/").context("cannot change to the root directory")?;
    inherited.close();
    let mut output = std::io::stdout();
    output
        .write_all(READY.as_bytes())
        .and_then(|()| output.flush())
        .context("the process that waits for the mount is gone")?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())
        .context("cannot open /dev/null")?;
    rustix::stdio::dup2_stdout(null).context("cannot close standard output")
}
