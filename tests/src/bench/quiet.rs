//! Waiting for others on the machine to be done with many open files of their own,
//! which would be in the tables, too.

use anyhow::{Result, bail};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Open files that are always there.
const USUAL: usize = 20_000;
/// How long others are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until few files are open.
///
/// # Errors
/// If many still are after a while.
pub fn wait() -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while are_more_open_than(USUAL)? {
        if Instant::now() > deadline {
            bail!("others hold more than {USUAL} open files: measure when they are done");
        }
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn are_more_open_than(many: usize) -> Result<bool> {
    let mut open = 0;
    for process in fs::read_dir("/proc")? {
        // It may have ended, or be no process.
        let Ok(files) = fs::read_dir(process?.path().join("fd")) else {
            continue;
        };
        open += files.count();
        if open > many {
            return Ok(true);
        }
    }
    Ok(false)
}
