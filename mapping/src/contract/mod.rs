//! The contract between the filesystem and the library that reaches the kernel.
//!
//! The filesystem (`iterfs`) depends only on these traits. `iterfs-bpf` implements them for the
//! running kernel; the filesystem's unit tests implement them in memory. There is one trait per
//! subject, and [`Backend`] combines them.
//!
//! This module makes no system call. An implementation of a method may make some, and may block
//! for as long as the method's documentation says; the filesystem holds no lock during a call.

mod callers;
mod host;
mod pass;
mod pins;
mod programs;
mod tables;

pub use callers::{Callers, Held};
pub use host::{Cgroups, Map, NetNamespaces, Process, Processes};
pub use pass::{Asked, Pass, Progress, Source};
pub use pins::{Pin, Pins};
pub use programs::{Loaded, ObjectFile, PinnedLink, Programs};
pub use tables::{Form, Tables, UserTable};

/// All traits that the filesystem needs from the machine.
pub trait Backend:
    Tables + Callers + Processes + NetNamespaces + Cgroups + Programs + Pins
{
}

impl<T> Backend for T where
    T: Tables + Callers + Processes + NetNamespaces + Cgroups + Programs + Pins
{
}
