//! What the tests need of the kernel that the standard library does not offer.
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the kernel send SIGTERM to the command's process when this thread ends,
/// however it ends, so that no daemon outlives its test.
pub(crate) fn end_with_this_thread(command: &mut Command) {
    // SAFETY: between fork and exec only prctl(2) is called, which is a system
    // call and async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
            Ok(())
        });
    }
}
