//! The contract between the filesystem and whatever reaches the kernel for it.
//!
//! The filesystem (`iterfs`) knows these traits and nothing behind them. `iterfs-bpf`
//! implements them for the running kernel; the filesystem's unit tests implement them in
//! memory. They are split by what is asked, and [`Backend`] is all of them.
//!
//! Nothing here makes a system call. A method may, and may block for as long as its
//! documentation says; the filesystem holds no lock while it calls one.

mod callers;
mod host;
mod pass;
mod pins;
mod programs;
mod tables;

pub use callers::Callers;
pub use host::{Cgroups, Map, NetNamespaces, Process, Processes};
pub use pass::{Pass, Progress, Source};
pub use pins::{Pin, Pins};
pub use programs::{Loaded, ObjectFile, PinnedLink, Programs};
pub use tables::{Form, Tables, UserTable};

/// Everything that the filesystem asks of the machine that it shows.
pub trait Backend:
    Tables + Callers + Processes + NetNamespaces + Cgroups + Programs + Pins
{
}

impl<T> Backend for T where
    T: Tables + Callers + Processes + NetNamespaces + Cgroups + Programs + Pins
{
}
