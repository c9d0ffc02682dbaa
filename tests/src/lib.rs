//! Mounts, fixtures and oracles that the tests share.
//!
//! The tests run as root on the real kernel. Each fixture cleans up after itself
//! when dropped, even when its test fails, and tolerates others beside it.

pub mod bench;
pub mod calls;
pub mod errno;
pub mod fixtures;
pub mod matrix;
pub mod modules;
pub mod mount;
pub mod not_here;
pub mod oracles;
mod sys;
pub mod wait;

pub use mount::{Mount, Row};
