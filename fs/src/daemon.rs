//! Leaving the foreground.
//!
//! `iterfs mount` starts itself again as the daemon, whose standard output is a
//! pipe to the one that waits: the daemon writes one word when the mount
//! answers, or one line that says why it will not. Nothing forks with threads
//! running.

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};

/// What the daemon says when the mount answers.
const READY: &str = "ready\n";

/// The flag that makes a process the daemon.
pub const FLAG: &str = "--daemon";

/// Starts the daemon with this process's arguments, the command's name first,
/// and waits for its word.
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
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

/// Gives this process a session of its own.
pub fn detach() -> Result<()> {
    rustix::process::setsid().context("no session of its own")?;
    Ok(())
}

/// Lets go of the directory, by now mounted on whatever its path was relative
/// to; tells the one that waits that the mount answers, and lets go of it, too.
pub fn ready() -> Result<()> {
    rustix::process::chdir("/").context("the root directory cannot be entered")?;
    let mut output = std::io::stdout();
    output
        .write_all(READY.as_bytes())
        .and_then(|()| output.flush())
        .context("nobody waits for the mount")?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()).context("/dev/null")?;
    rustix::stdio::dup2_stdout(null).context("standard output cannot be closed")
}
