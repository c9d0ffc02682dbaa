//! What is made from the command line's own description.

use crate::cli::Cli;
use clap::CommandFactory;
use std::io;
use std::process::ExitCode;

/// Writes iterfs(8)'s synopsis and options in roff.
pub fn manual() -> ExitCode {
    let page = clap_mangen::Man::new(Cli::command()).section("8");
    finish(page.render(&mut io::stdout()))
}

/// Writes completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Cli::command(), "iterfs", &mut io::stdout());
    ExitCode::SUCCESS
}

fn finish(written: io::Result<()>) -> ExitCode {
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iterfs: {error}");
            ExitCode::FAILURE
        }
    }
}
