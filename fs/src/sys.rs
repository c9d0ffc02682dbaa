//! System calls, and calls of the C library, that are available only as unsafe functions.
#![allow(unsafe_code)]

use rustix::thread::UnshareFlags;

/// Gives this thread its own root and working directory (unshare(2), CLONE_FS).
pub(crate) fn unshare_directories() -> rustix::io::Result<()> {
    // SAFETY: only CLONE_FILES is unsafe, because it would take descriptors away from code
    // that borrows them. This flag does not touch descriptors.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }
}

/// The size of an allocation, in bytes, from which on it gets pages of its own.
#[cfg(target_env = "gnu")]
const OWN_PAGES: libc::c_int = 32 * 1024;

/// Number of heaps that threads share.
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 2;

/// Makes the C library return memory to the kernel as soon as it is freed.
///
/// Nearly all memory that the daemon keeps for readers is in blocks of 32 KiB to 1 MiB.
/// By default, glibc soon puts such blocks into a heap for each thread, beside small
/// blocks that stay: the first large block that is freed raises its threshold for all
/// later ones. Six seconds after 250 readers had gone, 169 of 582 MiB were still in use.
/// With pages of their own for such blocks and few heaps for the rest, 17 MiB were left
/// immediately, and the idle daemon takes 7 MiB instead of 10. Rows come as fast, because
/// blocks in steady use are reused. jemalloc with background threads kept 14 MiB after
/// its decay and takes 14 MiB idle; mimalloc returned nothing (650 MiB) and takes 80 MiB
/// idle.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, OWN_PAGES),
        (libc::M_ARENA_MAX, HEAPS),
    ] {
        // SAFETY: mallopt() takes two integers and may be called at any time.
        let taken = unsafe { libc::mallopt(parameter, value) };
        if taken == 0 {
            tracing::warn!(
                "the C library refuses the option {parameter}; the daemon may keep memory that it no longer uses"
            );
        }
    }
}

/// Makes the C library return the free pages of its heaps, which takes a few milliseconds.
/// Small blocks have no pages of their own, so freeing them alone returns nothing.
pub(crate) fn trim_heaps() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: malloc_trim() takes an integer and may be called at any time.
        unsafe { libc::malloc_trim(0) };
    }
}
