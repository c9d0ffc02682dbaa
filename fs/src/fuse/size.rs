//! The size that the kernel believes a table to have.
//!
//! stat(2) shows 0, because nobody knows the size before the pass. But if the kernel
//! believed in 0, it would treat every table as empty wherever it checks the size itself
//! without asking the daemon, and callers would get no bytes and no error:
//! - sendfile(2) and splice(2), which take a file's bytes from the page cache since Linux
//!   6.5 (mm/filemap.c, `filemap_splice_read()`);
//! - Linux AIO and io_uring (fs/fuse/file.c, `fuse_direct_IO()`).
//!
//! So the daemon makes the kernel believe in [`END`], and keeps it from ever answering
//! stat(2) from that. Then asynchronous reads reach the daemon like all others. Splices ask
//! for pages. The daemon can tell such requests from reads ([`is_for_page_cache`]) and
//! refuses them, because callers would share the pages: programs fall back to read(2) on
//! EINVAL (which reaches them as EIO from kernels that read pages by iomap).
//!
//! The kernel handles attributes as follows (fs/fuse/inode.c, dir.c, dev.c):
//! - A reply with attributes sets the size, unless the inode has changed since the request
//!   was sent (`attr_version`); stat(2) shows the reply all the same.
//! - FUSE_NOTIFY_STORE counts as a change, and outdates the size and times that the kernel
//!   holds, but not owner and mode. Bytes stored beyond the end raise the size; a store of
//!   no bytes leaves it ([`Kernel`]).
//! - Owner and mode decide whether a file may be opened. The kernel asks for them if they
//!   are outdated.
//! - Only lseek(2) with SEEK_END asks for the attributes of a handle. It would use the size
//!   that the kernel believes in, so it fails: see [`crate::fuse`].
//!
//! Whenever the kernel believes in the end of a table, the size or all attributes are
//! outdated. This keeps stat(2) right, in whatever order requests arrive.
//!
//! Tables whose attributes the kernel may not keep need no state: a lookup reports the end
//! with a lifetime of zero, and a store of no bytes precedes each reply with attributes.
//! For tables whose attributes it keeps, an open raises the size unless it is raised
//! already, and it stays raised. Only while nobody has the table open may the kernel take
//! up a reply with attributes, which makes the size 0 again.

use fuser::{INodeNo, Notifier};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::OnceLock;

/// An offset beyond every byte that any table will ever have. Its lower half is 0, so that
/// FIONREAD, which has 32 bits for the number of remaining bytes, still reports 0.
pub(crate) const END: u64 = 1 << 62;

/// The first minor version of the protocol (Linux 5.17) whose FUSE_NOTIFY_STORE outdates
/// the size. Without it, the kernel would show the size that it believes in.
pub(crate) const FIRST_MINOR: u32 = 36;

/// A flag of READ that is set for a reader's own reads but not for those of the page cache
/// (fs/fuse/file.c, `fuse_send_read()`).
const FUSE_READ_LOCKOWNER: u32 = 1 << 1;

/// Whether the kernel reads for its page cache, according to the flags of the request.
pub(crate) fn is_for_page_cache(read_flags: u32) -> bool {
    read_flags & FUSE_READ_LOCKOWNER == 0
}

/// The size that the kernel is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    /// 0, valid as long as all other attributes are.
    Zero,
    /// The number of bytes of a file that was made whole, valid as long as all other
    /// attributes are.
    Exactly(u64),
    /// [`END`]. The kernel must ask again before it shows any attributes.
    End,
}

/// Changes the size that the kernel believes in, unasked. The kernel must hold the inode,
/// which it does while a request about it is unanswered.
pub(crate) trait Kernel {
    /// Outdates the size, and with it replies to earlier requests.
    fn outdate(&self, inode: u64);

    /// Raises the size to [`END`]. Returns false if the kernel cannot.
    fn raise(&self, inode: u64) -> bool;
}

impl Kernel for Notifier {
    fn outdate(&self, inode: u64) {
        // Store no bytes, but at an offset beyond every possible size: data appended to the
        // control file lies beyond the end.
        if let Err(error) = self.store(INodeNo(inode), END + END / 2, &[]) {
            tracing::debug!("cannot outdate the size of inode {inode}: {error}");
        }
    }

    fn raise(&self, inode: u64) -> bool {
        // The byte is the last one of its page, so the kernel never takes the page for
        // complete (fs/fuse/dev.c, fuse_notify_store()).
        let stored = self.store(INodeNo(inode), END - 1, &[0]);
        if let Err(error) = &stored {
            tracing::warn!(
                "cannot raise the size of inode {inode}, so sendfile finds it empty: {error}"
            );
        }
        stored.is_ok()
    }
}

/// A table whose attributes the kernel keeps.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    /// Whether the kernel certainly believes in [`END`].
    is_raised: bool,
    /// Open handles.
    open: u32,
}

/// The sizes that the kernel believes in.
#[derive(Debug)]
pub(crate) struct Sizes<K = Notifier> {
    /// Unset as long as the kernel may believe in 0.
    kernel: OnceLock<K>,
    /// The tables that are open or raised, by inode number. Raising a size is a system call
    /// under this lock: it happens once for many opens, and the opens that wait for the lock
    /// need its result.
    kept: Mutex<HashMap<u64, Kept>>,
}

impl<K> Default for Sizes<K> {
    fn default() -> Sizes<K> {
        Sizes {
            kernel: OnceLock::new(),
            kept: Mutex::default(),
        }
    }
}

impl<K: Kernel> Sizes<K> {
    /// Begins to change the sizes that the kernel believes in.
    pub(crate) fn begin(&self, kernel: K) {
        // A second call would pass the same kernel.
        let _ = self.kernel.set(kernel);
    }

    /// Whether the kernel may believe in a size other than 0.
    pub(crate) fn are_raised(&self) -> bool {
        self.kernel.get().is_some()
    }

    /// The size to report for a table at lookup. `is_kept` says whether the kernel may keep
    /// its attributes.
    pub(crate) fn at_name(&self, inode: u64, is_kept: bool) -> Size {
        match (self.kernel.get(), is_kept) {
            (None, _) => Size::Zero,
            (Some(_), false) => Size::End,
            (Some(_), true) => match self.kept.lock().get(&inode) {
                // Open or raised.
                Some(_) => Size::End,
                None => Size::Zero,
            },
        }
    }

    /// The size to report for a table after a change. The kernel always takes it up.
    pub(crate) fn after_change(&self, inode: u64, is_kept: bool) -> Size {
        if self.kernel.get().is_none() {
            return Size::Zero;
        }
        if is_kept {
            self.kept.lock().entry(inode).or_default().is_raised = true;
        }
        Size::End
    }

    /// Prepares for a reply with a table's attributes, in which the size is 0.
    pub(crate) fn before_attributes(&self, inode: u64, is_kept: bool) {
        let Some(kernel) = self.kernel.get() else {
            return;
        };
        if !is_kept || self.must_not_shrink(inode) {
            kernel.outdate(inode);
        }
    }

    /// Whether the kernel must not take up 0 as the size of a kept table. If it may, notes
    /// that it does.
    fn must_not_shrink(&self, inode: u64) -> bool {
        let mut kept = self.kept.lock();
        let is_open = kept.get(&inode).is_some_and(|kept| kept.open > 0);
        if !is_open {
            kept.remove(&inode);
        }
        is_open
    }

    /// Prepares for the reply that a kept table is open.
    pub(crate) fn before_opened(&self, inode: u64) {
        let Some(kernel) = self.kernel.get() else {
            return;
        };
        let mut all = self.kept.lock();
        let kept = all.entry(inode).or_default();
        kept.open += 1;
        if !kept.is_raised {
            // Outdate the size before raising it, so that the raised size is never shown.
            kernel.outdate(inode);
            kept.is_raised = kernel.raise(inode);
        }
    }

    /// Notes that a handle of a kept table was closed.
    pub(crate) fn closed(&self, inode: u64) {
        self.change(inode, |kept| kept.open = kept.open.saturating_sub(1));
    }

    /// Notes that the kernel has forgotten an inode. It may create a new one in its place.
    pub(crate) fn forgotten(&self, inode: u64) {
        self.change(inode, |kept| kept.is_raised = false);
    }

    fn change(&self, inode: u64, change: impl FnOnce(&mut Kept)) {
        let mut all = self.kept.lock();
        if let Some(kept) = all.get_mut(&inode) {
            change(kept);
            if kept.open == 0 && !kept.is_raised {
                all.remove(&inode);
            }
        }
    }
}

#[cfg(test)]
mod tests;
