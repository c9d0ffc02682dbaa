//! System calls, and calls of the C library, that are offered only as unsafe.
#![allow(unsafe_code)]

use rustix::thread::UnshareFlags;

/// Gives this thread a root and working directory of its own (unshare(2), CLONE_FS).
pub(crate) fn unshare_directories() -> rustix::io::Result<()> {
    // SAFETY: only CLONE_FILES is unsafe, which would take descriptors from under
    // those who borrow them. This flag leaves them alone.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }
}

/// The size of an allocation, in bytes, from which it has pages of its own.
#[cfg(target_env = "gnu")]
const OWN_PAGES: libc::c_int = 32 * 1024;

/// Heaps that threads share.
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 2;

/// Has the C library give memory back as soon as it is freed.
///
/// What a daemon keeps for readers is nearly all in blocks of 32 KiB to 1 MiB. By default
/// glibc puts them into a heap for each thread, beside small blocks that stay, and learns
/// from the first that is freed to do so with all to come: six seconds after 250 readers
/// had gone, 169 of 582 MiB were still there. With pages of their own for such blocks, and
/// few heaps for the rest, 17 MiB were, at once, and the daemon idle takes 7 MiB where it
/// took 10; rows come as fast, for blocks in steady use are used again. jemalloc with
/// background threads had 14 MiB, after its decay, and takes 14 MiB idle; mimalloc gave
/// nothing back (650 MiB) and takes 80 MiB idle.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, OWN_PAGES),
        (libc::M_ARENA_MAX, HEAPS),
    ] {
        // SAFETY: mallopt() takes two numbers, and may be called at any time.
        let taken = unsafe { libc::mallopt(parameter, value) };
        if taken == 0 {
            tracing::warn!("the C library refuses its option {parameter}; memory may stay taken");
        }
    }
}

/// Has the C library give back the pages of its heaps that are free, which takes it some
/// milliseconds: small blocks do not have pages of their own.
pub(crate) fn trim_heaps() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: malloc_trim() takes a number, and may be called at any time.
        unsafe { libc::malloc_trim(0) };
    }
}
