//! The command `iterfs`, which joins the filesystem and the kernel's tables.
//!
//! [`cli`] is the command line, and each command has a module in [`commands`]. The life of a
//! daemon is in [`daemon`], [`signals`], [`privileges`] and [`log`].

mod cli;
mod commands;
mod daemon;
mod log;
mod privileges;
mod signals;
mod sys;

use clap::Parser;
use clap::error::ErrorKind;
use cli::{Cli, Command};
use std::process::ExitCode;

/// The exit code for an invalid command line (mount(8), EXIT STATUS).
const USAGE: u8 = 1;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.command {
        Command::Mount(arguments) => commands::mount::run(&arguments),
        Command::Targets => commands::targets::run(),
        Command::Columns { path } => commands::columns::run(&path),
        Command::Ls { path } => commands::ls::run(path.as_deref()),
        Command::Explain { path } => commands::explain::run(&path),
        Command::Top {
            delay,
            passes,
            path,
        } => commands::top::run(&path, &delay, passes),
        Command::Complete { asking, word } => commands::complete::run(&word, asking),
        Command::Ctl { directory, command } => commands::ctl::run(&directory, command.as_ref()),
        Command::Check => commands::check::run(),
        Command::Tables => commands::tables::run(),
        Command::LoadObject => commands::load_object::run(),
        Command::Completions { shell } => commands::completions::run(shell),
    }
}

/// Prints help as a whole. Of an error, prints the first line and the command for help.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // If even this cannot be printed, there is no way to report it.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: "));
    let names = usage.unwrap_or("iterfs").split(' ');
    // The words after the names of the commands are in brackets, or are options.
    let command: Vec<_> = names
        .skip(1)
        .filter(|word| !word.starts_with(['[', '<', '-']))
        .collect();
    let advice = match command.join(" ").as_str() {
        "" => "iterfs --help".into(),
        command => format!("iterfs help {command}"),
    };
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        eprintln!("iterfs: a command is missing; see: iterfs --help");
        return ExitCode::from(USAGE);
    }
    let what: Vec<_> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("tip:"))
        .collect();
    let what = what.join(" ");
    let what = what.strip_prefix("error: ").unwrap_or(&what);
    eprintln!("iterfs: {what}; see: {advice}");
    ExitCode::from(USAGE)
}
