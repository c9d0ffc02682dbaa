//! Keeps those who make batches off the processor on which they are read.
//!
//! Whoever reads wakes a maker for each batch. On a busy machine the kernel looks for no
//! idle processor for what it wakes (kernel/sched/fair.c, SIS_UTIL): the maker would take
//! the reader's, and the two would work in turns while others stand idle.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The processor on which a pass was read last, or `NOWHERE`.
#[derive(Debug)]
pub(super) struct ReadOn(AtomicUsize);

const NOWHERE: usize = usize::MAX;

/// Where a thread may run.
#[derive(Clone, Copy)]
struct Allowed {
    /// As the daemon was told.
    all: CpuSet,
    /// As it was set last.
    set: CpuSet,
    /// The processor that it keeps off.
    avoided: Option<usize>,
}

thread_local! {
    static ALLOWED: Cell<Option<Allowed>> = const { Cell::new(None) };
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

/// Where a thread that this one starts may run, if that is not where this one may: it
/// would keep off what this one does.
pub(crate) fn of_started() -> Option<CpuSet> {
    ALLOWED
        .get()
        .filter(|allowed| allowed.avoided.is_some())
        .map(|allowed| allowed.all)
}

/// Has this thread, which was just started, run there.
pub(crate) fn begin(all: CpuSet) {
    let _ = sched_setaffinity(None, &all);
}

/// Has this thread keep off a processor, if there are others. It is no matter if it
/// cannot: then it is as slow as it would be.
fn avoid(processor: Option<usize>) {
    let before = ALLOWED.get();
    if before.map(|allowed| allowed.avoided) == Some(processor) {
        return;
    }
    let Ok(found) = sched_getaffinity(None) else {
        return;
    };
    // What somebody else has set since (taskset(1), a cpuset) holds.
    let all = match before {
        Some(allowed) if allowed.set == found => allowed.all,
        _ => found,
    };
    let mut set = all;
    if let Some(processor) = processor.filter(|_| all.count() > 1) {
        set.unset(processor);
    }
    let _ = sched_setaffinity(None, &set);
    ALLOWED.set(Some(Allowed {
        all,
        set,
        avoided: processor,
    }));
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
            let started = of_started().unwrap();
            let begun = std::thread::spawn(move || {
                begin(started);
                here()
            });
            assert_eq!(begun.join().unwrap(), all);
            read_on.here();
            assert_eq!(here(), all);
            assert!(of_started().is_none());
            let read = read_on.0.load(Ordering::Relaxed);
            assert!(all.is_set(read));

            // What somebody else sets, holds.
            let mut only = CpuSet::new();
            only.set(read);
            sched_setaffinity(None, &only).unwrap();
            read_on.not_here();
            assert_eq!(here(), only);
        })
        .join()
        .unwrap();
    }
}
