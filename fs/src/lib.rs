//! The filesystem: BPF iterators as files.
//!
//! From the outside in: [`mount`] takes the place in the tree of mounts, [`session`] reads
//! the kernel's requests, [`fuse`] takes them apart for the plain [`operations`]. Behind
//! those, [`tree`] says which nodes a caller sees, [`access`] how much of them, and
//! [`stream`] and [`mod@format`] turn a pass into the bytes of a file, on the threads of the
//! [`scheduler`]. [`control`] carries out commands.
//!
//! Tables are reached through the contract in `iterfs-mapping` alone: nothing here knows
//! BPF, and the unit tests put tables in memory behind the contract.

pub mod access;
pub mod answer;
pub mod control;
pub mod counts;
pub mod error;
pub mod format;
pub mod fuse;
mod handles;
pub mod mount;
pub mod operations;
pub mod scheduler;
pub mod session;
pub mod stream;
pub mod sys;
#[cfg(test)]
mod tests;
pub mod tree;
mod trusted;
