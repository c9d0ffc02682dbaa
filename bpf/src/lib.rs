//! Implements the contract of `iterfs-mapping` for the running kernel, with passes of BPF
//! iterators.
//!
//! [`Kernel`] is the implementation. `load` turns an object into a program in the kernel and a
//! schema of its rows, `program` keeps the program with its link, `pass` makes iterators of it
//! and reads them, and `host` examines callers, namespaces, cgroups and processes. All `unsafe`
//! code is in files named `sys.rs`.

#[cfg(test)]
mod damage;
mod host;
pub mod kernel;
mod load;
mod pass;
mod program;
mod sys;

pub use host::inventory::each_row;
pub use kernel::Kernel;
pub use load::btf::schema_of;
pub use load::{lockdown, object_process, objects, probe, rights};
