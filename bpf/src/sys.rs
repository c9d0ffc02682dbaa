//! The system calls of BPF links and iterators that libbpf-rs 0.27 does not wrap, or wraps
//! with less than is needed here: its links narrow no walk to a process, its `load` drops the
//! kernel's errno, it opens maps by id only for writing, and its batches allocate for each
//! element.
#![allow(unsafe_code)]

use crate::program::attachment::Attachment;
use iterfs_mapping::{Narrowing, Order};
use libbpf_rs::{Object, OpenObject};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The length at which the kernel truncates a program's name (include/uapi/linux/bpf.h,
/// BPF_OBJ_NAME_LEN without the NUL).
pub(crate) const OBJECT_NAME: usize = 15;

/// Loads an object into the kernel. Unlike `OpenObject::load`, this returns the kernel's errno
/// if the kernel refuses the object.
pub(crate) fn load(object: OpenObject) -> io::Result<Object> {
    let object = object.take_ptr();
    // SAFETY: the pointer comes from an open object, which no longer owns it.
    let result = unsafe { libbpf_sys::bpf_object__load(object.as_ptr()) };
    if result < 0 {
        // SAFETY: nothing else has the object, and it is not used afterwards.
        unsafe { libbpf_sys::bpf_object__close(object.as_ptr()) };
        return Err(io::Error::from_raw_os_error(-result));
    }
    // SAFETY: the object is loaded, and this function owns the pointer.
    Ok(unsafe { Object::from_ptr(object) })
}

/// The result of [`map_take`].
pub(crate) struct Taken {
    /// The number of elements taken.
    pub(crate) count: usize,
    /// The position at which the next call continues; `None` at the end of the map.
    pub(crate) next: Option<u32>,
}

/// Takes elements out of a hash map, as many as fit (BPF_MAP_LOOKUP_AND_DELETE_BATCH, bpf(2)),
/// from the start of the map or from the position that an earlier call returned. Fails with
/// ENOSPC if the elements of one bucket do not fit.
pub(crate) fn map_take(
    map: BorrowedFd<'_>,
    from: Option<u32>,
    keys: &mut [u8],
    key_size: usize,
    values: &mut [u8],
    value_size: usize,
) -> io::Result<Taken> {
    let room = (keys.len() / key_size).min(values.len() / value_size);
    let mut count = u32::try_from(room).unwrap_or(u32::MAX);
    let (mut from, mut next) = (from, 0_u32);
    let from = from
        .as_mut()
        .map_or(std::ptr::null_mut(), std::ptr::from_mut);
    // SAFETY: the kernel writes at most `count` keys and values of the map's sizes, and the
    // slices have room for them. It writes a bucket's number into `next`, and reads one from
    // `from` unless that is null. All of them outlive the call.
    let result = unsafe {
        libbpf_sys::bpf_map_lookup_and_delete_batch(
            map.as_raw_fd(),
            from.cast(),
            std::ptr::from_mut(&mut next).cast(),
            keys.as_mut_ptr().cast(),
            values.as_mut_ptr().cast(),
            &mut count,
            std::ptr::null(),
        )
    };
    let next = match -result {
        0 => Some(next),
        libc::ENOENT => None,
        errno => return Err(io::Error::from_raw_os_error(errno)),
    };
    Ok(Taken {
        count: count as usize,
        next,
    })
}

/// Links an iterator program to its target, narrowed to a part of it (BPF_LINK_CREATE, bpf(2);
/// include/uapi/linux/bpf.h, union bpf_iter_link_info). For the entries of a map, `to` must
/// hold the map.
pub(crate) fn link_create(program: BorrowedFd<'_>, to: &Attachment) -> io::Result<OwnedFd> {
    let mut info = libbpf_sys::bpf_iter_link_info::default();
    let mut options = libbpf_sys::bpf_link_create_opts {
        sz: size_of::<libbpf_sys::bpf_link_create_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    match to.narrowing() {
        Narrowing::Nothing | Narrowing::NetNamespace(_) => {}
        Narrowing::Process(pid) => info.task.pid = pid,
        Narrowing::Thread(tid) => info.task.tid = tid,
        Narrowing::Map(_) => {
            let map = to.map().ok_or(io::ErrorKind::InvalidInput)?;
            info.map.map_fd = map.as_raw_fd() as u32;
        }
        Narrowing::Cgroup(id, order) => {
            info.cgroup.cgroup_id = id;
            info.cgroup.order = match order {
                Order::Itself => libbpf_sys::BPF_CGROUP_ITER_SELF_ONLY,
                Order::Descendants => libbpf_sys::BPF_CGROUP_ITER_DESCENDANTS_PRE,
                Order::Ancestors => libbpf_sys::BPF_CGROUP_ITER_ANCESTORS_UP,
            };
        }
        // Each cgroup's walk has its own link; this one stays at the first cgroup.
        Narrowing::EachCgroup(id) => {
            info.cgroup.cgroup_id = id;
            info.cgroup.order = libbpf_sys::BPF_CGROUP_ITER_SELF_ONLY;
        }
    }
    if !to.is_everything() {
        options.iter_info = &mut info;
        options.iter_info_len = size_of_val(&info) as u32;
    }
    // SAFETY: `options`, and `info` to which it points, outlive the call and carry their sizes;
    // the descriptor is borrowed for the call.
    let fd = unsafe {
        libbpf_sys::bpf_link_create(program.as_raw_fd(), 0, libbpf_sys::BPF_TRACE_ITER, &options)
    };
    owned(fd)
}

/// Replaces the program of a link (BPF_LINK_UPDATE, bpf(2)). Existing iterators keep the old
/// program.
pub(crate) fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call takes two descriptors, borrowed for the call, and no options.
    let result = unsafe {
        libbpf_sys::bpf_link_update(link.as_raw_fd(), program.as_raw_fd(), std::ptr::null())
    };
    done(result)
}

/// Pins a link in a bpffs (BPF_OBJ_PIN, bpf(2)).
pub(crate) fn pin(link: BorrowedFd<'_>, path: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with NUL and outlives the call, as does the descriptor.
    done(unsafe { libbpf_sys::bpf_obj_pin(link.as_raw_fd(), path.as_ptr()) })
}

/// Opens a pinned object (BPF_OBJ_GET, bpf(2)).
pub(crate) fn open_pinned(path: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: the path ends with NUL and outlives the call.
    owned(unsafe { libbpf_sys::bpf_obj_get(path.as_ptr()) })
}

/// The kernel's facts about a program (BPF_OBJ_GET_INFO_BY_FD, bpf(2)).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ProgramInfo {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) tag: [u8; 8],
}

/// Opens a map by its id for reading (BPF_MAP_GET_FD_BY_ID, bpf(2)).
pub(crate) fn map_by_id(id: u32) -> io::Result<OwnedFd> {
    let options = libbpf_sys::bpf_get_fd_by_id_opts {
        sz: size_of::<libbpf_sys::bpf_get_fd_by_id_opts>() as libbpf_sys::size_t,
        open_flags: libbpf_sys::BPF_F_RDONLY,
        ..Default::default()
    };
    // SAFETY: the options outlive the call and carry their size.
    owned(unsafe { libbpf_sys::bpf_map_get_fd_by_id_opts(id, &options) })
}

/// Asks the kernel for its facts about a program.
pub(crate) fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    let info = info_with_maps(program, &mut [])?;
    let name = info.name.iter().map(|byte| *byte as u8);
    let name: Vec<_> = name.take_while(|byte| *byte != 0).collect();
    Ok(ProgramInfo {
        id: info.id,
        name: String::from_utf8_lossy(&name).into_owned(),
        tag: info.tag,
    })
}

/// The ids of the maps that a program uses.
pub(crate) fn maps_of_program(program: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    // include/linux/bpf_verifier.h, MAX_USED_MAPS.
    let mut ids = vec![0_u32; 64];
    let info = info_with_maps(program, &mut ids)?;
    ids.truncate(info.nr_map_ids as usize);
    Ok(ids)
}

/// Asks the kernel for its facts about a program, and for the ids of its maps, as many as there
/// is room for.
fn info_with_maps(
    program: BorrowedFd<'_>,
    ids: &mut [u32],
) -> io::Result<libbpf_sys::bpf_prog_info> {
    let mut info = libbpf_sys::bpf_prog_info {
        nr_map_ids: ids.len() as u32,
        map_ids: ids.as_mut_ptr() as u64,
        ..Default::default()
    };
    let mut size = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `size` bytes into `info`, and at most `nr_map_ids` ids
    // into `ids`, which outlives the call; all other pointers in `info` are null.
    done(unsafe {
        libbpf_sys::bpf_obj_get_info_by_fd(
            program.as_raw_fd(),
            std::ptr::from_mut(&mut info).cast(),
            &mut size,
        )
    })?;
    Ok(info)
}

/// Makes an iterator from a link (BPF_ITER_CREATE, bpf(2)).
pub(crate) fn iterator_create(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the call takes only a descriptor, borrowed for the call.
    owned(unsafe { libbpf_sys::bpf_iter_create(link.as_raw_fd()) })
}

/// Converts the result of a libbpf call that returns 0 or a negative errno.
pub(crate) fn done(result: i32) -> io::Result<()> {
    match result {
        ..0 => Err(io::Error::from_raw_os_error(-result)),
        _ => Ok(()),
    }
}

/// Takes ownership of a descriptor that libbpf has just made; `fd` may be a negative errno
/// instead.
pub(crate) fn owned(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: the descriptor is new, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// include/uapi/linux/nsfs.h, NS_GET_TGID_FROM_PIDNS: _IOR(0xb7, 0x7, int), since 6.11.
const NS_GET_TGID_FROM_PIDNS: libc::c_ulong = 2 << 30 | 4 << 16 | 0xb7 << 8 | 0x7;

/// The id in this process's pid namespace of a process in another one.
pub(crate) fn process_of_namespace(namespace: BorrowedFd<'_>, process: u32) -> io::Result<u32> {
    // SAFETY: the request takes a number and writes nothing.
    let here = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_TGID_FROM_PIDNS, process) };
    match u32::try_from(here) {
        Ok(here) if here != 0 => Ok(here),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Requests about namespaces (include/uapi/linux/nsfs.h).
const NS_GET_USERNS: libc::c_ulong = 0xb701;
const NS_GET_PARENT: libc::c_ulong = 0xb702;
const NS_GET_OWNER_UID: libc::c_ulong = 0xb704;

/// The user namespace that owns a namespace.
pub(crate) fn user_namespace_of(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    related_namespace(namespace, NS_GET_USERNS)
}

/// The parent of a pid or user namespace.
pub(crate) fn parent_of_namespace(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    related_namespace(namespace, NS_GET_PARENT)
}

fn related_namespace(namespace: BorrowedFd<'_>, request: libc::c_ulong) -> io::Result<OwnedFd> {
    // SAFETY: the request takes no argument and writes nothing.
    let related = unsafe { libc::ioctl(namespace.as_raw_fd(), request) };
    match related {
        0.. => {
            // SAFETY: the kernel has just made this descriptor for this call.
            Ok(unsafe { OwnedFd::from_raw_fd(related) })
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// The user that made a user namespace, by its id in this process's user namespace.
pub(crate) fn owner_of_user_namespace(namespace: BorrowedFd<'_>) -> io::Result<u32> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: the request writes one uid_t into `uid`.
    let told = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) };
    match told {
        0 => Ok(uid),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The type of a file handle that contains the id of a kernfs node (include/linux/exportfs.h,
/// FILEID_KERNFS).
const FILEID_KERNFS: libc::c_int = 0xfe;

/// A file handle of a kernfs node.
#[repr(C)]
struct KernfsHandle {
    handle_bytes: libc::c_uint,
    handle_type: libc::c_int,
    id: [u8; size_of::<u64>()],
}

/// Opens the directory of a kernfs node by its id (open_by_handle_at(2)). `beside` is any
/// directory of the same filesystem.
pub(crate) fn open_kernfs_node(beside: &OwnedFd, id: u64) -> Result<OwnedFd, Errno> {
    let mut handle = KernfsHandle {
        handle_bytes: size_of::<u64>() as libc::c_uint,
        handle_type: FILEID_KERNFS,
        id: id.to_ne_bytes(),
    };
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the handle has the layout of struct file_handle, with as many bytes after the
    // header as the header says; it outlives the call.
    let fd = unsafe {
        libc::open_by_handle_at(
            beside.as_raw_fd(),
            std::ptr::from_mut(&mut handle).cast(),
            flags,
        )
    };
    if fd < 0 {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    // SAFETY: the descriptor is new, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
