//! What the tests share: mounts, workloads, oracles.
//!
//! The tests run as root on the real kernel. Each fixture cleans up after itself
//! when dropped, a failed test included, and none minds another beside it.

pub mod bench;
pub mod bpf_maps;
pub mod calls;
pub mod cgroups;
pub mod columns;
pub mod connections;
pub mod daemon;
pub mod inet;
pub mod installed;
pub mod many_files;
pub mod maps;
pub mod mount;
pub mod netns;
pub mod proc;
pub mod programs;
pub mod socket_columns;
pub mod ss;
pub mod steady;
mod sys;
pub mod system_calls;
pub mod unix;
pub mod users;
pub mod workload;

pub use mount::{Mount, Row};
