//! What is made from the command line's own description.

use super::output::print;
use crate::cli::Cli;
use clap::CommandFactory;
use std::process::ExitCode;

/// Writes iterfs(8)'s synopsis and options in roff.
pub fn manual() -> ExitCode {
    let page = clap_mangen::Man::new(Cli::command()).section("8");
    print(|mut out| page.render(&mut out).map(|()| ExitCode::SUCCESS))
}

/// Writes completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> ExitCode {
    print(|mut out| {
        clap_complete::generate(shell, &mut Cli::command(), "iterfs", &mut out);
        Ok(ExitCode::SUCCESS)
    })
}
