//! The system calls that read a map and its elements.
#![allow(unsafe_code)]

use crate::sys::{done, owned};
use libbpf_sys::{bpf_btf_info, bpf_map_info};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The kernel's facts about a map (BPF_OBJ_GET_INFO_BY_FD, bpf(2)).
pub(super) fn info(map: BorrowedFd<'_>) -> io::Result<bpf_map_info> {
    let mut info = bpf_map_info::default();
    let mut size = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `size` bytes into `info`.
    done(unsafe { libbpf_sys::bpf_map_get_info_by_fd(map.as_raw_fd(), &mut info, &mut size) })?;
    Ok(info)
}

/// The types of a BTF object, by its id, as they were loaded (BPF_BTF_GET_FD_BY_ID).
pub(super) fn btf_bytes(id: u32) -> io::Result<Vec<u8>> {
    // SAFETY: the call takes only a number.
    let btf = owned(unsafe { libbpf_sys::bpf_btf_get_fd_by_id(id) })?;
    let mut bytes = Vec::new();
    loop {
        let mut info = bpf_btf_info {
            btf: bytes.as_mut_ptr() as u64,
            btf_size: bytes.len() as u32,
            ..Default::default()
        };
        let mut size = size_of_val(&info) as u32;
        // SAFETY: the kernel writes at most `size` bytes into `info`, and at most
        // `info.btf_size` bytes to `info.btf`, which points to `bytes`.
        done(unsafe { libbpf_sys::bpf_btf_get_info_by_fd(btf.as_raw_fd(), &mut info, &mut size) })?;
        // The first reply has only the size.
        if info.btf_size as usize == bytes.len() {
            return Ok(bytes);
        }
        bytes.resize(info.btf_size as usize, 0);
    }
}

/// Finds the key after `key`, or the first key; false if there is none. The keys must have
/// the map's size (BPF_MAP_GET_NEXT_KEY, bpf(2)).
pub(super) fn next_key(
    map: BorrowedFd<'_>,
    key: Option<&[u8]>,
    next: &mut [u8],
) -> io::Result<bool> {
    let key = key.map_or(std::ptr::null(), <[u8]>::as_ptr);
    // SAFETY: the kernel reads a key, or none from NULL, and writes one; the caller's slices
    // are as long as the map's keys.
    found(unsafe {
        libbpf_sys::bpf_map_get_next_key(map.as_raw_fd(), key.cast(), next.as_mut_ptr().cast())
    })
}

/// Copies the value of a key; false if the key does not exist. Key and value must have the
/// map's sizes, which for a per-cpu map includes the values of all processors
/// (BPF_MAP_LOOKUP_ELEM).
pub(super) fn lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    // SAFETY: the kernel reads a key and writes a value, and the caller's slices have the map's
    // sizes.
    found(unsafe {
        libbpf_sys::bpf_map_lookup_elem(
            map.as_raw_fd(),
            key.as_ptr().cast(),
            value.as_mut_ptr().cast(),
        )
    })
}

/// Converts the result of a call that finds something, or fails with ENOENT.
fn found(result: i32) -> io::Result<bool> {
    match done(result) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|()| true),
    }
}
