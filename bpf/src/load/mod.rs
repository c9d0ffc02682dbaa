//! Loads the bytes of an object as a program into the kernel, and makes the schema of its rows.

pub(crate) mod btf;
pub(crate) mod libbpf_error;
pub(crate) mod loader;
pub mod lockdown;
pub(crate) mod memory_nodes;
pub(crate) mod mode;
pub(crate) mod object_file;
pub mod object_process;
pub mod objects;
pub mod probe;
pub(crate) mod question;
pub mod rights;
pub(crate) mod schemas;
pub(crate) mod text;
pub(crate) mod user_object;
pub(crate) mod verifier_log;
