//! The standard output of a command, which may be a pipe whose reader has gone.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Tells why a command failed, in one line.
pub(super) fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("iterfs: {error:#}");
    ExitCode::FAILURE
}

/// Runs a command that prints. A reader may stop reading, as head does; any other failure
/// to write the output is an error.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<ExitCode>) -> ExitCode {
    let mut output = io::stdout().lock();
    match write(&mut output).and_then(|code| output.flush().map(|()| code)) {
        Ok(code) => code,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iterfs: cannot write the output: {error}");
            ExitCode::FAILURE
        }
    }
}
