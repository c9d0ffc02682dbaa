//! The command line.

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// The kernel's BPF iterators as files.
#[derive(Debug, Parser)]
#[command(name = "iterfs", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Mount the tree on a directory.
    ///
    /// Returns when the mount answers, or prints one line that says why it does
    /// not and leaves nothing mounted. `umount DIR` ends it.
    Mount(Mount),
    /// List the iterator targets: which this kernel has, and why not the others.
    Targets,
    /// Describe the columns of a table, such as `tasks` or `net/netlink`.
    Columns {
        /// The table's path below the mount.
        path: String,
    },
    /// Say whether this machine is ready, and what to do if not.
    Check,
    /// Write the reference of all tables, docs/TABLES.md, to standard output.
    #[command(hide = true)]
    Tables,
    /// Load an object for the daemon that started this process.
    #[command(hide = true, name = iterfs_bpf::object_process::COMMAND)]
    LoadObject,
    /// Write a shell's completions to standard output.
    #[command(hide = true)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How to mount.
#[derive(clap::Args, Debug)]
pub struct Mount {
    /// Stay in the foreground and log to standard error.
    #[arg(short, long)]
    pub foreground: bool,
    /// Options, separated by commas: uid=USER, gid=GROUP, mode=OCTAL, ro, and
    /// those of mount(8) that do not concern a filesystem without storage.
    #[arg(short, value_name = "OPTIONS")]
    pub options: Vec<String>,
    /// Mount in another mount namespace, given by a file such as /proc/PID/ns/mnt.
    #[arg(short = 'N', long, value_name = "FILE")]
    pub namespace: Option<PathBuf>,
    /// The directory to mount on.
    pub directory: PathBuf,
    /// Be the daemon: standard output leads to the process that waits for it.
    #[arg(long, hide = true)]
    pub daemon: bool,
}
