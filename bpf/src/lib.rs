//! The running kernel behind the contract of `iterfs-mapping`: passes over its tables by
//! BPF iterators.
//!
//! [`Kernel`] implements the contract. From the top: `load` turns an object into a program
//! in the kernel and a schema of its rows, `program` keeps the program with its link,
//! `pass` makes iterators of it and reads them, and `host` finds out about callers,
//! namespaces, cgroups and processes. All `unsafe` is in files named `sys.rs`.

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
