//! The order in which the kernel is asked to drop names that nobody uses any more.
//!
//! The kernel keeps a name whose lifetime is over until it needs the memory (fs/fuse/dir.c:
//! only virtiofs has `delete_stale`), and with it the name's inode. So nothing would take
//! lookups back for a long time, and the daemon asks for it (FUSE_NOTIFY_INVAL_ENTRY). A name
//! that is dropped while somebody still has it open is only no longer found; the kernel
//! forgets it with the last descriptor.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long the kernel may keep a name after its lookup. By then it has been opened, if the
/// lookup was for that. A name is not dropped while a table is read under it, because
/// /proc/PID/fd would call it deleted.
pub(super) const KEPT: Duration = Duration::from_secs(1);

/// Names that may wait so at once. Beyond this number, the first are dropped early.
pub(super) const WAITING: usize = 1024;

/// Numbers of names in the order in which to drop them.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// Names whose last handle was closed.
    closed: VecDeque<u64>,
    /// Names that were looked up, each with the time when it is due, in order.
    looked_up: VecDeque<(Instant, u64)>,
}

/// The next step.
pub(super) enum Next {
    /// Drop this name.
    Now(u64),
    /// Look again then.
    At(Instant),
    /// Wait until a name is added.
    Never,
}

impl Idle {
    /// Adds a name that was looked up, or that must stay for a while.
    pub(super) fn add(&mut self, number: u64, now: Instant) {
        self.looked_up.push_back((now + KEPT, number));
    }

    /// Adds a name whose last handle was closed.
    pub(super) fn add_closed(&mut self, number: u64) {
        self.closed.push_back(number);
    }

    /// Takes the next name out, if one is due.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if let Some(number) = self.closed.pop_front() {
            return Next::Now(number);
        }
        match self.looked_up.front() {
            Some((due, _)) if *due > now && self.looked_up.len() <= WAITING => Next::At(*due),
            Some(_) => match self.looked_up.pop_front() {
                Some((_, number)) => Next::Now(number),
                None => Next::Never,
            },
            None => Next::Never,
        }
    }

    /// Gives back the memory of names that waited.
    pub(super) fn shrink(&mut self) {
        self.closed.shrink_to_fit();
        self.looked_up.shrink_to_fit();
    }
}
