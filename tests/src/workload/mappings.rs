//! A process that maps one file many times over.

use super::sys;
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// How many times: near the most that a process may have (vm.max_map_count).
const TIMES: usize = 60_000;

/// Maps the first page of a file, which is never joined with what lies beside it.
///
/// # Errors
/// The kernel's.
pub fn of(path: &Path) -> io::Result<Value> {
    let file = File::open(path)?;
    for _ in 0..TIMES {
        sys::map(file.as_fd())?;
    }
    Ok(json!({ "mappings": TIMES }))
}
