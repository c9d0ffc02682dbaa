//! System calls that the tests make for their errnos and no crate makes safely.

mod sys;

pub use sys::{Sharing, bpf_statistics, ioctl, map, read_by_aio, read_by_io_uring};
