//! The command line.

use clap::{CommandFactory, Parser, Subcommand, ValueHint};
use std::path::PathBuf;

/// The kernel's BPF iterators as files.
#[derive(Debug, Parser)]
#[command(name = "iterfs", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Mount the tree on a directory.
    ///
    /// Returns when the mount answers, or prints one line that says why it does
    /// not and leaves nothing mounted. `umount DIR` ends it.
    Mount(Mount),
    /// List the iterator targets: which this kernel has, and why not the others.
    Targets,
    /// Describe the columns of a table.
    ///
    /// Tables of `user/`, and those whose program was replaced, are described by the
    /// daemon of a mount, which only root may ask.
    Columns {
        /// The table: its path below a mount, such as `net/tcp`, or a whole path.
        path: PathBuf,
    },
    /// Give a mount a command, or show its report.
    ///
    /// Prints the outcome, or the reason for which the command failed. Without a
    /// command, prints what is loaded and pinned.
    Ctl {
        /// The directory that the tree is mounted on.
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
        /// What to do.
        #[command(subcommand)]
        command: Option<Ctl>,
    },
    /// Say whether this machine is ready, and what to do if not.
    Check,
    /// Write the completions of a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
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
        /// The table; without it, every table that needs no parameter.
        table: Option<String>,
        /// The name of the pin; without it, the table's path.
        pin: Option<String>,
    },
    /// Remove the pins of a table, or every pin.
    Unpin {
        /// The table; without it, every pin is removed.
        table: Option<String>,
    },
    /// Put another program into a table, or its own back.
    Update {
        /// The table.
        table: String,
        /// The object file, or `default` for the table's own program.
        #[arg(value_hint = ValueHint::FilePath)]
        object: PathBuf,
        /// The program in it; needed if it has several.
        program: Option<String>,
    },
    /// Show what a program prints as user/NAME.
    Load {
        /// The name of the table below `user`.
        name: String,
        /// The object file, as clang or `bpftool gen object` writes it.
        #[arg(value_hint = ValueHint::FilePath)]
        object: PathBuf,
        /// The program in it, needed if it has several; and what the walk is narrowed to:
        /// pid=N, tid=N, map=ID, or cgroup=PATH and order=self|descendants|ancestors|each.
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

/// How to mount.
#[derive(clap::Args, Debug)]
pub(crate) struct Mount {
    /// Stay in the foreground and log to standard error.
    #[arg(short, long)]
    pub(crate) foreground: bool,
    /// Options, separated by commas: uid=USER, gid=GROUP, mode=OCTAL, ro, and
    /// those of mount(8) that do not concern a filesystem without storage.
    #[arg(short, value_name = "OPTIONS")]
    pub(crate) options: Vec<String>,
    /// Mount in another mount namespace, given by a file such as /proc/PID/ns/mnt.
    #[arg(short = 'N', long, value_name = "FILE")]
    pub(crate) namespace: Option<PathBuf>,
    /// The directory to mount on.
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
    /// Be the daemon: standard output leads to the process that waits for it.
    #[arg(long, hide = true)]
    pub(crate) daemon: bool,
}

/// The command line as completions offer it: without what is not for users.
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
