//! What the tests share: mounts, workloads, oracles.
//!
//! The tests run as root on the real kernel. Each fixture cleans up after itself
//! when dropped, a failed test included, and none minds another beside it.

pub mod automounter;
pub mod bench;
pub mod bpf_maps;
pub mod brought;
pub mod calls;
pub mod cgroups;
pub mod clang;
pub mod columns;
pub mod configured;
pub mod connections;
pub mod container;
pub mod control;
pub mod daemon;
pub mod descriptors;
pub mod dmabuf;
pub mod foreground;
pub mod inet;
pub mod installed;
pub mod lines;
pub mod many_files;
pub mod maps;
pub mod matrix;
pub mod modules;
pub mod mount;
pub mod netns;
pub mod not_here;
pub mod object;
pub mod pids_limit;
pub mod pins;
pub mod proc;
pub mod programs;
pub mod random;
pub mod socket_columns;
pub mod ss;
pub mod steady;
mod sys;
pub mod system_calls;
pub mod unix;
pub mod users;
pub mod withheld;
pub mod workload;

pub use mount::{Mount, Row};
