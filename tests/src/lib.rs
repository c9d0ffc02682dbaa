//! What the tests share: mounts, workloads, oracles.
//!
//! The tests run as root on the real kernel. Each fixture cleans up after itself
//! when dropped, a failed test included, and none minds another beside it.

pub mod mount;
pub mod programs;
mod sys;

pub use mount::{Mount, Row};
