//! `iterfs load-object`, which the daemon starts for each object of a user.

use crate::log;
use iterfs_bpf::object_process;
use std::process::ExitCode;

/// Loads the object that the daemon asks for.
pub(crate) fn run() -> ExitCode {
    log::to_standard_error();
    match object_process::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "iterfs: load-object answers the daemon that starts it, and nobody else: {error}"
            );
            ExitCode::FAILURE
        }
    }
}
