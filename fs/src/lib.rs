//! The filesystem: BPF iterators as files.
//!
//! From the outside in: [`mount`] puts the filesystem into the tree of mounts, [`session`]
//! reads the kernel's requests, and [`fuse`] translates them for the plain [`operations`].
//! Behind those, [`tree`] decides which nodes a caller sees, and [`access`] how much of
//! them. [`stream`] and [`mod@format`] turn a pass into the bytes of a file, on the threads
//! of the [`scheduler`]. [`control`] executes commands.
//!
//! This crate reaches tables only through the contract in `iterfs-mapping`: nothing here
//! knows BPF, and the unit tests put tables in memory behind the contract.

pub mod access;
pub mod answer;
pub mod control;
pub mod counts;
pub mod error;
mod explanation;
pub mod format;
pub mod fuse;
mod handles;
pub mod mount;
pub mod operations;
pub mod scheduler;
mod selection;
pub mod session;
pub mod stream;
pub mod sys;
#[cfg(test)]
mod tests;
pub mod tree;
mod trusted;
mod whole;
