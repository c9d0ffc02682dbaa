//! The matrix of kernels and machines that `make test-kernels` runs, and
//! docs/KERNELS.md, which is written from it.
//!
//! `shapes.rs` lists the kernels and the kinds of machines, `sets.rs` the tests, and
//! `guests.rs` says which of them are booted with which tests. `run.rs` boots them, `log.rs` reads what they sent, `document.rs` writes the tables. The
//! scripts in tests/vm make the images and the machines.

pub mod document;
pub mod guests;
pub mod log;
pub mod run;
pub mod sets;
pub mod shapes;
