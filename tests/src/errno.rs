//! The errnos that system calls fail with.

use serde_json::Value;
use std::io;

/// The errno of an outcome; none of success.
pub fn errno<T>(outcome: io::Result<T>) -> Option<i32> {
    outcome.err().as_ref().map(errno_of)
}

/// A system call's errno.
pub fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().expect("a system call's error")
}

/// The errno with which a workload's request failed, by its answer.
pub fn refused(answer: &Value) -> Option<i32> {
    answer["errno"].as_i64().map(|errno| errno as i32)
}
