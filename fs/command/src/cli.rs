//! The command line.

use clap::{CommandFactory, Parser, Subcommand, ValueHint};
use std::path::PathBuf;

/// The kernel's BPF iterators as files.
#[derive(Debug, Parser)]
#[command(name = "iterfs", version)]
pub(crate) struct Cli {
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Mount the tree on a directory.
    ///
    /// Returns once the mount is ready. On failure, prints one line that says why and
    /// leaves nothing mounted. Use `umount DIR` to unmount the tree.
    Mount(Mount),
    /// List the iterator targets: which this kernel has, and why the others cannot be used.
    Targets,
    /// List the tables with the meaning of a row.
    ///
    /// Needs no mount for the built-in tables. Only root learns from the daemon what the rows
    /// of tables in `user/` mean.
    Ls {
        /// A mount, or a directory below one; without it, every table is listed.
        #[arg(value_hint = ValueHint::AnyPath)]
        path: Option<PathBuf>,
    },
    /// Describe the columns of a table.
    ///
    /// For tables in `user/`, and for tables whose program was replaced, the description
    /// comes from the daemon of a mount, which only root may ask.
    Columns {
        /// The table: its path below a mount, such as `net/tcp`, or a full path.
        #[arg(value_hint = ValueHint::AnyPath)]
        path: PathBuf,
    },
    /// Explain how a name that asks is answered, or why it cannot be.
    ///
    /// Says what the kernel walks, where each condition is evaluated, and which columns are
    /// made. If a term is wrong, says why and exits with status 1.
    Explain {
        /// The name: its path below a mount, such as `net/tcp@state=LISTEN`, or a full path.
        #[arg(value_hint = ValueHint::AnyPath)]
        path: PathBuf,
    },
    /// Show a table again and again, with the growth per second of its counters.
    ///
    /// On a terminal: q quits, the arrow keys select the column to sort by and scroll, r
    /// reverses the order. Otherwise, prints one table after another.
    Top {
        /// The time between the beginnings of two passes, such as 500ms, 2s or 5m.
        #[arg(short, long, value_name = "DURATION", default_value = "1s")]
        delay: String,
        /// End after this many passes.
        #[arg(short = 'n', long, value_name = "NUMBER")]
        passes: Option<u64>,
        /// The table, which may be a name that asks, such as `processes@top=20:rss`.
        #[arg(value_hint = ValueHint::AnyPath)]
        path: PathBuf,
    },
    /// Send a command to a mount, or show its report.
    ///
    /// Prints the outcome of the command, or the reason why it failed. Without a command,
    /// prints a report of what is loaded and pinned.
    Ctl {
        /// The directory that the tree is mounted on.
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
        /// The command; without it, the report is printed.
        #[command(subcommand)]
        command: Option<Ctl>,
    },
    /// Check whether this machine is ready, and say what to do if it is not.
    Check,
    /// Write the completions for a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the words that may stand in place of an unfinished path.
    #[command(hide = true)]
    Complete {
        /// Offer only the terms of names that ask, below a mount.
        #[arg(long)]
        asking: bool,
        /// The unfinished word.
        word: String,
    },
    /// Write the reference of all tables, docs/TABLES.md, to standard output.
    #[command(hide = true)]
    Tables,
    /// Load an object for the daemon that started this process.
    #[command(hide = true, name = iterfs_bpf::object_process::COMMAND)]
    LoadObject,
}

/// The commands of the control file.
#[derive(Debug, Subcommand)]
pub(crate) enum Ctl {
    /// Pin a table, so that it can be read without the daemon.
    Pin {
        /// The table; without it, every table that needs no parameter is pinned.
        table: Option<String>,
        /// The name of the pin; by default, the path of the table.
        pin: Option<String>,
    },
    /// Remove the pins of a table, or all pins.
    Unpin {
        /// The table; without it, all pins are removed.
        table: Option<String>,
    },
    /// Replace the program of a table, or restore its own.
    Update {
        /// The table.
        table: String,
        /// The object file, or `default` for the table's own program.
        #[arg(value_hint = ValueHint::FilePath)]
        object: PathBuf,
        /// The program in the object; needed if it has several.
        program: Option<String>,
    },
    /// Show the output of a program as user/NAME.
    Load {
        /// The name of the table below `user`.
        name: String,
        /// The object file, as clang or `bpftool gen object` writes it.
        #[arg(value_hint = ValueHint::FilePath)]
        object: PathBuf,
        /// The program in the object, needed if it has several, and parameters that narrow
        /// the walk: pid=N, tid=N, map=ID, or cgroup=PATH and
        /// order=self|descendants|ancestors|each.
        #[arg(value_name = "PROGRAM|PARAMETER=VALUE")]
        rest: Vec<String>,
    },
    /// Remove user/NAME.
    Unload {
        /// The name of the table below `user`.
        name: String,
    },
    /// Read the configuration and the directory of programs again.
    Reload,
}

/// The arguments of `iterfs mount`.
#[derive(clap::Args, Debug)]
pub(crate) struct Mount {
    /// Stay in the foreground and log to standard error.
    #[arg(short, long)]
    pub(crate) foreground: bool,
    /// Mount options, separated by commas, such as uid=USER, gid=GROUP, mode=OCTAL or ro;
    /// see iterfs(8). Options of mount(8) that do not apply are ignored.
    #[arg(short, value_name = "OPTIONS")]
    pub(crate) options: Vec<String>,
    /// Mount in another mount namespace, given by a file such as /proc/PID/ns/mnt.
    #[arg(short = 'N', long, value_name = "FILE")]
    pub(crate) namespace: Option<PathBuf>,
    /// The directory to mount on.
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
    /// Run as the daemon: report on standard output to the process that waits for it.
    #[arg(long, hide = true)]
    pub(crate) daemon: bool,
}

/// The command line as completions offer it, without hidden commands and options.
pub(crate) fn offered() -> clap::Command {
    without_hidden(&Cli::command())
}

fn without_hidden(command: &clap::Command) -> clap::Command {
    let arguments = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    let commands = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let about = command.get_about().cloned().unwrap_or_default();
    clap::Command::new(command.get_name().to_owned())
        .about(about)
        .disable_help_subcommand(command.get_subcommands().next().is_none())
        .args(arguments.cloned())
        .subcommands(commands.map(without_hidden))
}
