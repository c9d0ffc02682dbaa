//! Keeps threads that work on one pass off each other's processors.
//!
//! The thread that reads a pass wakes another to encode each batch. On a busy machine the
//! kernel does not search for an idle processor when it wakes a thread
//! (kernel/sched/fair.c, SIS_UTIL): the encoding thread would get the processor of the
//! reading one, and the two would take turns while other processors stand idle.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The processor on which a pass was read last, or `NOWHERE`.
#[derive(Debug)]
pub(crate) struct ReservedCpu(AtomicUsize);

const NOWHERE: usize = usize::MAX;

/// The affinity of a thread that [`avoid`] has set.
#[derive(Clone, Copy)]
struct Affinity {
    /// The processors that the daemon may use.
    all: CpuSet,
    /// The processors that were set last.
    set: CpuSet,
    /// The processor that is missing in `set`.
    avoided: Option<usize>,
}

thread_local! {
    static AFFINITY: Cell<Option<Affinity>> = const { Cell::new(None) };
}

impl Default for ReservedCpu {
    fn default() -> ReservedCpu {
        ReservedCpu(AtomicUsize::new(NOWHERE))
    }
}

impl ReservedCpu {
    /// Reserves the processor of this thread, which may run anywhere.
    pub(crate) fn reserve(&self) {
        avoid(None);
        self.0.store(sched_getcpu(), Ordering::Relaxed);
    }

    /// Keeps this thread off the reserved processor.
    pub(crate) fn keep_off(&self) {
        let reserved = self.0.load(Ordering::Relaxed);
        avoid((reserved < CpuSet::MAX_CPU).then_some(reserved));
    }
}

/// The processors for a thread that this one starts, if it must not inherit our narrowed
/// set.
pub(super) fn mask_for_child() -> Option<CpuSet> {
    AFFINITY
        .get()
        .filter(|affinity| affinity.avoided.is_some())
        .map(|affinity| affinity.all)
}

/// Lets this thread run on some processors. Best effort, as [`avoid`].
pub(super) fn set(mask: CpuSet) {
    let _ = sched_setaffinity(None, &mask);
}

/// Keeps this thread off a processor, if it may use others. Best effort: on failure we only
/// lose the speed-up.
fn avoid(processor: Option<usize>) {
    let before = AFFINITY.get();
    if before.map(|affinity| affinity.avoided) == Some(processor) {
        return;
    }
    let Ok(found) = sched_getaffinity(None) else {
        return;
    };
    // If somebody else has changed the set since (taskset(1), a cpuset), that holds.
    let all = match before {
        Some(affinity) if affinity.set == found => affinity.all,
        _ => found,
    };
    let mut set = all;
    if let Some(processor) = processor.filter(|_| all.count() > 1) {
        set.unset(processor);
    }
    let _ = sched_setaffinity(None, &set);
    AFFINITY.set(Some(Affinity {
        all,
        set,
        avoided: processor,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_thread_keeps_off_and_a_reading_one_runs_anywhere() {
        let here = || sched_getaffinity(None).unwrap();
        std::thread::spawn(move || {
            let all = here();
            let cpu = ReservedCpu::default();
            cpu.keep_off();
            assert_eq!(here(), all);
            for processor in (0..CpuSet::MAX_CPU).filter(|processor| all.is_set(*processor)) {
                cpu.0.store(processor, Ordering::Relaxed);
                cpu.keep_off();
                let kept_off = !here().is_set(processor);
                assert_eq!(kept_off, all.count() > 1);
            }
            let mask = mask_for_child().unwrap();
            let begun = std::thread::spawn(move || {
                set(mask);
                here()
            });
            assert_eq!(begun.join().unwrap(), all);
            cpu.reserve();
            assert_eq!(here(), all);
            assert!(mask_for_child().is_none());
            let read = cpu.0.load(Ordering::Relaxed);
            assert!(all.is_set(read));

            // A set that somebody else chooses holds.
            let mut only = CpuSet::new();
            only.set(read);
            sched_setaffinity(None, &only).unwrap();
            cpu.keep_off();
            assert_eq!(here(), only);
        })
        .join()
        .unwrap();
    }
}
