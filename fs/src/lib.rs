//! The iterfs daemon: BPF iterators as files.
//!
//! From the outside in: [`cli`] and [`commands`]; [`options`], [`mountpoint`],
//! [`daemon`], `signals`, `privileges` and [`session`] for the life of a mount; [`fuse`], which takes
//! requests apart for the plain [`operations`]; and behind those [`stream`] and
//! [`format`], which turn a pass into the bytes of a file, on the threads of the
//! [`scheduler`]. What is shown and how
//! it is named is decided in `iterfs-mapping`, how it is got in `iterfs-bpf`.

mod access;
pub mod answer;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod counts;
pub mod daemon;
mod descriptors;
pub mod error;
pub mod format;
pub mod fuse;
mod gate;
mod handles;
pub mod inode;
mod listing;
mod live;
mod log;
pub mod memory;
pub mod mountpoint;
pub mod operations;
pub mod options;
pub mod policy;
mod privileges;
pub mod quota;
pub mod scheduler;
pub mod session;
mod signals;
mod size;
pub mod stream;
mod sys;
