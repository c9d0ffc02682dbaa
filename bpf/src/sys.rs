//! The system calls of BPF links and iterators that libbpf-rs does not wrap.
#![allow(unsafe_code)]

use libbpf_rs::{Object, OpenObject};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Loads an object into the kernel, with the kernel's errno if it is refused:
/// `OpenObject::load` keeps that to itself.
pub(crate) fn load(object: OpenObject) -> io::Result<Object> {
    let object = object.take_ptr();
    // SAFETY: the pointer was taken from an open object, which owns it no more.
    let result = unsafe { libbpf_sys::bpf_object__load(object.as_ptr()) };
    if result < 0 {
        // SAFETY: nobody else has the object, and it is not used after.
        unsafe { libbpf_sys::bpf_object__close(object.as_ptr()) };
        return Err(io::Error::from_raw_os_error(-result));
    }
    // SAFETY: the object was loaded, and the pointer is ours to give away.
    Ok(unsafe { Object::from_ptr(object) })
}

/// Writes an element of a map (BPF_MAP_UPDATE_ELEM, bpf(2)); key and value have
/// the map's sizes.
pub(crate) fn map_update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as the map's key and value have,
    // which the caller's slices are as long as.
    let result = unsafe {
        libbpf_sys::bpf_map_update_elem(
            map.as_raw_fd(),
            key.as_ptr().cast(),
            value.as_ptr().cast(),
            libbpf_sys::BPF_ANY.into(),
        )
    };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    Ok(())
}

/// Links an iterator program to its target, narrowed to one process if one is given
/// (BPF_LINK_CREATE, bpf(2)). The number is read in this process's pid namespace.
pub(crate) fn link_create(program: BorrowedFd<'_>, process: Option<u32>) -> io::Result<OwnedFd> {
    let mut info = libbpf_sys::bpf_iter_link_info::default();
    let mut options = libbpf_sys::bpf_link_create_opts {
        sz: size_of::<libbpf_sys::bpf_link_create_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    if let Some(pid) = process {
        info.task.pid = pid;
        options.iter_info = &mut info;
        options.iter_info_len = size_of_val(&info) as u32;
    }
    // SAFETY: `options`, and `info` to which it points, outlive the call, and
    // their sizes are told; the descriptor is borrowed for as long.
    let fd = unsafe {
        libbpf_sys::bpf_link_create(program.as_raw_fd(), 0, libbpf_sys::BPF_TRACE_ITER, &options)
    };
    owned(fd)
}

/// Makes an iterator of a link (BPF_ITER_CREATE, bpf(2)).
pub(crate) fn iterator_create(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the call takes a descriptor, borrowed for as long, and nothing else.
    owned(unsafe { libbpf_sys::bpf_iter_create(link.as_raw_fd()) })
}

/// A descriptor that libbpf has just made, or the negative errno in its place.
fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
