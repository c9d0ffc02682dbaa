//! Keeps those who make batches off the processor on which they are read.
//!
//! Whoever reads wakes a maker for each batch. On a busy machine the kernel looks for no
//! idle processor for what it wakes (kernel/sched/fair.c, SIS_UTIL): the maker would take
//! the reader's, and the two would work in turns while others stand idle.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The processor on which a pass was read last, or `NOWHERE`.
#[derive(Debug)]
pub(super) struct ReadOn(AtomicUsize);

const NOWHERE: usize = usize::MAX;

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

impl Default for ReadOn {
    fn default() -> ReadOn {
        ReadOn(AtomicUsize::new(NOWHERE))
    }
}

impl ReadOn {
    /// This thread reads: anywhere, and that is noted.
    pub(super) fn here(&self) {
        avoid(None);
        self.0.store(sched_getcpu(), Ordering::Relaxed);
    }

    /// This thread makes what another reads.
    pub(super) fn not_here(&self) {
        let read_on = self.0.load(Ordering::Relaxed);
        avoid((read_on < CpuSet::MAX_CPU).then_some(read_on));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_keeps_off_and_who_reads_is_anywhere() {
        let here = || sched_getaffinity(None).unwrap();
        std::thread::spawn(move || {
            let all = here();
            let read_on = ReadOn::default();
            read_on.not_here();
            assert_eq!(here(), all);
            for processor in (0..CpuSet::MAX_CPU).filter(|processor| all.is_set(*processor)) {
                read_on.0.store(processor, Ordering::Relaxed);
                read_on.not_here();
                let kept_off = !here().is_set(processor);
                assert_eq!(kept_off, all.count() > 1);
            }
            read_on.here();
            assert_eq!(here(), all);
            assert!(all.is_set(read_on.0.load(Ordering::Relaxed)));
        })
        .join()
        .unwrap();
    }
}
