//! `iterfs load-object`, which the daemon starts for each object of a user program.

use crate::log;
use iterfs_bpf::object_process;
use std::process::ExitCode;

/// Loads the object that the daemon asks for.
pub(crate) fn run() -> ExitCode {
    log::to_standard_error();
    match object_process::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iterfs: only the daemon can run load-object: {error}");
            ExitCode::FAILURE
        }
    }
}
