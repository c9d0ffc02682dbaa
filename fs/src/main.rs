//! The command `iterfs`.

use clap::Parser;
use clap::error::ErrorKind;
use iterfs::cli::{Cli, Command};
use iterfs::commands;
use std::process::ExitCode;

/// Exit code for a command line that cannot be read (mount(8), EXIT STATUS).
const USAGE: u8 = 1;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            // If even this cannot be printed, the code still tells.
            let _ = error.print();
            return ExitCode::from(if asked { 0 } else { USAGE });
        }
    };
    match cli.command {
        Command::Mount(arguments) => commands::mount::run(&arguments),
        Command::Targets => commands::targets::run(),
        Command::Columns { path } => commands::columns::run(&path),
        Command::Check => commands::check::run(),
        Command::Manual => commands::generate::manual(),
        Command::Completions { shell } => commands::generate::completions(shell),
    }
}
