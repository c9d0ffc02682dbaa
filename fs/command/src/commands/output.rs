//! Standard output of a command, which may be a pipe that nobody reads any more.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Runs a command that prints. A reader that goes away, as head does, is its
/// right; anything else that keeps output from being written is an error.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<ExitCode>) -> ExitCode {
    let mut output = io::stdout().lock();
    match write(&mut output).and_then(|code| output.flush().map(|()| code)) {
        Ok(code) => code,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iterfs: {error}");
            ExitCode::FAILURE
        }
    }
}
