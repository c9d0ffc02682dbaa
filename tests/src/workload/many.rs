//! Processes that hold many open files and do nothing else.

use super::sys;
use rustix::fs::{Mode, OFlags};
use serde_json::{Value, json};
use std::io::{self, Read};

/// Opens `files` files beside the three standard ones and forks until there are
/// `processes`, each of which holds them all. The fact is their ids, this one's
/// first. They wait for the end of standard input, which they share.
///
/// # Errors
/// If the kernel refuses one.
pub fn start(processes: usize, files: usize) -> io::Result<Value> {
    sys::close_from(3)?;
    for _ in 0..files {
        let file = rustix::fs::open("/dev/null", OFlags::RDONLY, Mode::empty())?;
        // Kept until the process ends.
        std::mem::forget(file);
    }
    let mut pids = vec![std::process::id()];
    for _ in 1..processes {
        match sys::fork()? {
            Some(pid) => pids.push(pid),
            None => {
                wait();
                std::process::exit(0);
            }
        }
    }
    Ok(json!({ "pids": pids }))
}

/// Waits for the end of standard input.
fn wait() {
    let _ = io::stdin().read(&mut [0]);
}

/// Waits for the end of standard input and of the processes.
pub fn end() {
    wait();
    while rustix::process::wait(rustix::process::WaitOptions::empty()).is_ok() {}
}
