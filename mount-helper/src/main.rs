//! `mount.fuse.iterfs`: the helper that mount(8) runs for `mount -t fuse.iterfs`.
//!
//! It parses the argv that mount(8) gives it ([`argv`]) and executes `iterfs mount`,
//! whose exit code then becomes that of mount(8).

mod argv;

use argv::Request;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Exit codes of mount(8).
const USAGE: u8 = 1;
const SYSTEM_ERROR: u8 = 2;

/// The program that mounts the filesystem.
const ITERFS: &str = "iterfs";

/// The directories in which it may be installed. The helper does not search PATH: a
/// systemd mount unit may not set it, and a caller could change it.
const DIRECTORIES: &[&str] = &["/usr/local/bin", "/usr/bin", "/usr/sbin", "/usr/local/sbin"];

fn main() -> ExitCode {
    let request = match Request::parse(std::env::args_os().skip(1)) {
        Ok(request) => request,
        Err(error) => return fail(USAGE, &error.to_string()),
    };
    if request.fake {
        return ExitCode::SUCCESS;
    }
    let Some(program) = find() else {
        let places = DIRECTORIES.join(", ");
        let reason = format!(
            "cannot find the program iterfs, neither beside this helper nor in {places}; install it"
        );
        return fail(SYSTEM_ERROR, &reason);
    };
    let mut command = Command::new(&program);
    command.args(request.daemon_arguments());
    if request.verbose {
        eprintln!("mount.fuse.iterfs: running {command:?}");
    }
    let error = command.exec();
    let reason = format!("cannot execute {}: {error}", program.display());
    fail(SYSTEM_ERROR, &reason)
}

/// Finds the program beside the helper's own file, or where it is installed.
fn find() -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    beside
        .into_iter()
        .chain(DIRECTORIES.iter().map(PathBuf::from))
        .map(|directory| directory.join(ITERFS))
        .find(|program| program.is_file())
}

fn fail(code: u8, reason: &str) -> ExitCode {
    eprintln!("mount.fuse.iterfs: {reason}");
    ExitCode::from(code)
}
