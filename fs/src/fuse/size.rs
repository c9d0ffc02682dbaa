//! The size that the kernel believes a table to have.
//!
//! stat(2) shows 0, for nobody knows before the pass. But if the kernel believed that, it
//! would hold every table for empty where it looks at the size itself and asks nobody, so
//! that callers get no bytes and no error:
//! - sendfile(2) and splice(2), which take a file's bytes from the page cache since Linux
//!   6.5 (mm/filemap.c, `filemap_splice_read()`);
//! - Linux AIO and io_uring (fs/fuse/file.c, `fuse_direct_IO()`).
//!
//! So the kernel is made to believe in [`END`], and never to answer stat(2) from that.
//! Then asynchronous reads reach us as others do. Splices ask for pages, which one may
//! tell from reads ([`is_for_page_cache`]) and which nobody gets, for callers would share
//! them: programs fall back to read(2) on
//! EINVAL (which reaches them as EIO from kernels that read pages by iomap).
//!
//! What the kernel does with attributes (fs/fuse/inode.c, dir.c, dev.c):
//! - An answer with attributes sets the size, unless something has changed the inode since
//!   the request was sent (`attr_version`); stat(2) shows the answer all the same.
//! - FUSE_NOTIFY_STORE counts as a change, and outdates the size and times that the kernel
//!   holds, but not owner and mode. Bytes stored behind the end raise the size; a store of
//!   none leaves it ([`Kernel`]).
//! - Permission to open is decided by owner and mode, which are asked for if outdated.
//! - Only lseek(2) for SEEK_END asks for the attributes of a handle. It would go by the
//!   size that the kernel believes in, so it fails: see [`crate::fuse`].
//!
//! Whenever the kernel believes in the end of a table, the size is outdated, or all
//! attributes are: that is what keeps stat(2) right, whatever requests cross each other.
//!
//! Tables whose attributes the kernel may not keep need no state: a lookup tells the end
//! for no time at all, and answers about attributes are preceded by a store of nothing.
//! For tables whose attributes it keeps, an open raises the size if nothing has since it
//! was 0, and it stays raised; only while nobody has the table open may an answer about
//! attributes be taken up, which makes it 0 again.

use fuser::{INodeNo, Notifier};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Behind every byte that any table will ever have. Its lower half is 0, so that FIONREAD,
/// which has 32 bits for what is left, goes on saying that nothing is.
pub(crate) const END: u64 = 1 << 62;

/// The first minor version of the protocol (Linux 5.17) whose FUSE_NOTIFY_STORE outdates
/// the size. Without that the kernel would show what it believes.
pub(crate) const FIRST_MINOR: u32 = 36;

/// A flag of READ that is set for a reader's own reads and not for the page cache's
/// (fs/fuse/file.c, `fuse_send_read()`).
const FUSE_READ_LOCKOWNER: u32 = 1 << 1;

/// Whether the kernel reads for its page cache, by the flags of the request.
pub(crate) fn is_for_page_cache(read_flags: u32) -> bool {
    read_flags & FUSE_READ_LOCKOWNER == 0
}

/// What the kernel is told of a size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    /// 0, to be believed as long as all other attributes are.
    Zero,
    /// [`END`]. It has to ask again before it shows any attributes.
    End,
}

/// Changes what the kernel believes without being asked. The inode must be one that the
/// kernel holds, because a request about it is still unanswered.
pub(crate) trait Kernel {
    /// Outdates the size, and with it answers to earlier requests.
    fn outdate(&self, inode: u64);

    /// Makes the size [`END`]. Returns false if the kernel cannot.
    fn raise(&self, inode: u64) -> bool;
}

impl Kernel for Notifier {
    fn outdate(&self, inode: u64) {
        // Nothing is stored, but behind every size that there may be: what is appended to
        // the control file lies behind the end.
        if let Err(error) = self.store(INodeNo(inode), END + END / 2, &[]) {
            tracing::debug!("the size of inode {inode} stays valid: {error}");
        }
    }

    fn raise(&self, inode: u64) -> bool {
        // The byte lies at the end of its page, which so is never taken for complete
        // (fs/fuse/dev.c, fuse_notify_store()).
        let stored = self.store(INodeNo(inode), END - 1, &[0]);
        if let Err(error) = &stored {
            tracing::warn!("sendfile will find inode {inode} empty: {error}");
        }
        stored.is_ok()
    }
}

/// A table whose attributes the kernel keeps.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    /// Whether the kernel believes in [`END`] for sure.
    is_raised: bool,
    /// Open handles.
    open: u32,
}

/// What the kernel believes of each table.
#[derive(Debug)]
pub(crate) struct Sizes<K = Notifier> {
    /// None as long as the kernel is left to believe in 0.
    kernel: OnceLock<K>,
    /// By inode number, those that are open or raised. Raising is a system call under this
    /// lock: it happens once for many opens, and those that wait for the lock need it.
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
    /// Begins to change what the kernel believes.
    pub(crate) fn begin(&self, kernel: K) {
        // A second would be the same kernel.
        let _ = self.kernel.set(kernel);
    }

    /// Whether the kernel believes in anything but 0.
    pub(crate) fn are_raised(&self) -> bool {
        self.kernel.get().is_some()
    }

    /// What to tell of a table with its name; `is_kept` if the kernel may keep attributes.
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

    /// What to tell of a table after a change, which the kernel always takes up.
    pub(crate) fn after_change(&self, inode: u64, is_kept: bool) -> Size {
        if self.kernel.get().is_none() {
            return Size::Zero;
        }
        if is_kept {
            self.kept.lock().entry(inode).or_default().is_raised = true;
        }
        Size::End
    }

    /// Prepares for an answer about a table's attributes, which says that its size is 0.
    pub(crate) fn before_attributes(&self, inode: u64, is_kept: bool) {
        let Some(kernel) = self.kernel.get() else {
            return;
        };
        if !is_kept || self.must_not_shrink(inode) {
            kernel.outdate(inode);
        }
    }

    /// Whether the kernel must not take up that a kept table's size is 0. If it may, it is
    /// noted that it does.
    fn must_not_shrink(&self, inode: u64) -> bool {
        let mut kept = self.kept.lock();
        let is_open = kept.get(&inode).is_some_and(|kept| kept.open > 0);
        if !is_open {
            kept.remove(&inode);
        }
        is_open
    }

    /// Prepares for the answer that a kept table is open.
    pub(crate) fn before_opened(&self, inode: u64) {
        let Some(kernel) = self.kernel.get() else {
            return;
        };
        let mut all = self.kept.lock();
        let kept = all.entry(inode).or_default();
        kept.open += 1;
        if !kept.is_raised {
            // First outdated, then raised, so that it is not shown in between.
            kernel.outdate(inode);
            kept.is_raised = kernel.raise(inode);
        }
    }

    /// A kept table has an open handle less.
    pub(crate) fn closed(&self, inode: u64) {
        self.change(inode, |kept| kept.open = kept.open.saturating_sub(1));
    }

    /// The kernel has forgotten an inode, and may have a new one in its place.
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
