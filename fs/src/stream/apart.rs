//! Keeps those who make batches off the processor on which they are read.
//!
//! Whoever reads wakes a maker for each batch. On a busy machine the kernel looks for no
//! idle processor for what it wakes (kernel/sched/fair.c, SIS_UTIL): the maker would take
//! the reader's, and the two would work in turns while others stand idle.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The processor on which a pass was read last.
#[derive(Debug, Default)]
pub(super) struct ReadOn(AtomicUsize);

/// Where a thread may run.
struct Allowed {
    /// As the daemon was told.
    all: CpuSet,
    /// The processor of these that it keeps off.
    avoided: Option<usize>,
}

thread_local! {
    static ALLOWED: RefCell<Option<Allowed>> = const { RefCell::new(None) };
}

impl ReadOn {
    /// This thread reads: anywhere, and that is noted.
    pub(super) fn here(&self) {
        avoid(None);
        self.0.store(sched_getcpu(), Ordering::Relaxed);
    }

    /// This thread makes what another reads.
    pub(super) fn not_here(&self) {
        avoid(Some(self.0.load(Ordering::Relaxed)));
    }
}

/// Has this thread keep off a processor, if there are others. It is no matter if it
/// cannot: then it is as slow as it would be.
fn avoid(processor: Option<usize>) {
    ALLOWED.with_borrow_mut(|allowed| {
        if allowed.is_none() {
            *allowed = sched_getaffinity(None)
                .ok()
                .map(|all| Allowed { all, avoided: None });
        }
        let Some(allowed) = allowed else {
            return;
        };
        if allowed.avoided == processor {
            return;
        }
        allowed.avoided = processor;
        let mut set = allowed.all;
        if let Some(processor) = processor.filter(|_| allowed.all.count() > 1) {
            set.unset(processor);
        }
        let _ = sched_setaffinity(None, &set);
    });
}
