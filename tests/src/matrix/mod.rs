//! The matrix of kernels and machines that `make test-kernels` runs, and
//! docs/KERNELS.md, which is written from it.
//!
//! `guests.rs` says which machines there are and which tests run in each, `run.rs`
//! boots them, `log.rs` reads what they sent, `document.rs` writes the tables. The
//! scripts in tests/vm make the images and the machines.

pub mod document;
pub mod guests;
pub mod log;
pub mod run;
