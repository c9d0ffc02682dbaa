//! `iterfs completions SHELL`.

use super::output::print;
use crate::cli;
use std::process::ExitCode;

/// Writes completions for a shell.
pub(crate) fn run(shell: clap_complete::Shell) -> ExitCode {
    print(|mut out| {
        clap_complete::generate(shell, &mut cli::offered(), "iterfs", &mut out);
        Ok(ExitCode::SUCCESS)
    })
}
