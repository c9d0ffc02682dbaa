//! Passes over kernel tables by BPF iterators.
//!
//! From the top: [`tables`] is the one trait through which the filesystem
//! reaches the kernel, and [`kernel`] the implementation that does. It loads
//! programs ([`program`], from [`objects`]), makes an iterator for the caller
//! ([`caller`], [`namespace`]) and hands it out as a [`source`] of bytes.
//! Tables that are counted inside the kernel come from a [`summary`], which has a
//! program for itself ([`counter`]) and takes the rows from its map ([`groups`]).
//! [`schema`] (read from BTF by [`btf`], and for what a map holds by [`map`]) and
//! [`record`] say what the bytes are;
//! they touch no kernel. All `unsafe` is in `sys.rs`.

mod attachment;
mod bits;
mod btf;
pub mod caller;
mod cgroup_place;
mod cgroup_walk;
mod cgroups;
mod counter;
#[cfg(test)]
mod damage;
mod each_cgroup;
mod error;
mod exchange;
mod groups;
pub mod kernel;
mod loader;
pub mod lockdown;
mod map;
mod memory_nodes;
mod namespace;
mod net_namespaces;
pub mod object_file;
pub mod object_process;
pub mod objects;
pub mod pins;
pub mod probe;
mod process_chain;
mod program;
pub mod programs;
mod reader;
pub mod record;
pub mod rights;
mod rows;
pub mod schema;
mod slot;
mod source;
mod split;
mod summary;
mod sys;
pub mod tables;
mod text;
mod user_object;
mod user_tables;
mod verifier_log;

pub use btf::schema_of;
pub use caller::{Caller, Tenant, User};
pub use error::{Error, Result};
pub use kernel::Kernel;
pub use object_file::ObjectFile;
pub use pins::Pins;
pub use programs::Programs;
pub use rows::each_row;
pub use schema::Schema;
pub use tables::{Form, Pass, Progress, Source, Tables, UserTable, View};
