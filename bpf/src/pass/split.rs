//! Whether a walk is worth being made process by process, several at a time.
//!
//! A link to one process costs some 8 us to make, begin and close; a walk over
//! everything costs nothing a process, and goes on one processor. So processes must
//! hold much before it pays, and there must be processors for it: while one reads,
//! another is kept busy by making text of what was read.

use iterfs_mapping::contract::Process;
use parking_lot::Mutex;
use rustix::system::sysinfo;
use std::collections::HashMap;
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

/// With fewer processors there is none for a second walk: files that processes share
/// would only be taken from each other's caches.
const FEW_PROCESSORS: usize = 3;

/// With fewer threads in the system a walk is not even thought about.
const FEW_THREADS: u16 = 100;

/// Slots that every table of descriptors has (include/linux/fdtable.h,
/// NR_OPEN_DEFAULT).
const FIRST_SLOTS: u32 = 64;

/// A walk over fewer files than this is short.
const FEW_FILES: u64 = 50_000;

/// As many rows as make the links of a part cheap, and few enough to wait.
const ROWS_A_PART: u64 = 2000;

/// Mappings a process has, by experience, and how many processes make it worth while.
const MAPPINGS_A_PROCESS: u64 = 64;
const MANY_PROCESSES: usize = 400;

/// Says which walks to split.
#[derive(Debug)]
pub(crate) struct Splitter {
    /// Processors that this process may use. Asked once: it takes reading several files.
    processors: usize,
    /// When it last did not pay, by target: what processes hold changes slowly, and
    /// listing them may cost as much as a tenth of the walk.
    refusals: Mutex<HashMap<String, Instant>>,
}

/// How long a refusal is remembered.
const REMEMBERED: Duration = Duration::from_secs(5);

impl Splitter {
    /// For the processors of now.
    pub(crate) fn new() -> Splitter {
        Splitter::with(thread::available_parallelism().map_or(1, NonZero::get))
    }

    fn with(processors: usize) -> Splitter {
        Splitter {
            processors,
            refusals: Mutex::default(),
        }
    }

    /// Whether a walk over this target may be worth it: asked before the processes are
    /// listed, which costs more than a small table.
    pub(crate) fn may_pay(&self, target: &str) -> bool {
        if self.processors < FEW_PROCESSORS {
            return false;
        }
        let threads = sysinfo().procs;
        let enough = match target {
            "task_file" => threads >= FEW_THREADS,
            "task_vma" => usize::from(threads) >= MANY_PROCESSES,
            _ => false,
        };
        enough && !self.was_refused(target)
    }

    fn was_refused(&self, target: &str) -> bool {
        let refusals = self.refusals.lock();
        let last = refusals.get(target);
        last.is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    /// Notes that it does not pay now.
    pub(crate) fn refuse(&self, target: &str) {
        self.refusals.lock().insert(target.into(), Instant::now());
    }

    /// The processes in parts, if that is worth it.
    pub(crate) fn parts(&self, target: &str, processes: &[Process]) -> Option<Vec<Vec<u32>>> {
        let rows = |process: &Process| match target {
            "task_vma" => MAPPINGS_A_PROCESS,
            _ => u64::from(process.slots),
        };
        let pays = match target {
            "task_vma" => processes.len() >= MANY_PROCESSES,
            "task_file" => {
                let grown = processes
                    .iter()
                    .filter(|process| process.slots > FIRST_SLOTS);
                grown.map(rows).sum::<u64>() >= FEW_FILES
            }
            _ => false,
        };
        if !pays || self.processors < FEW_PROCESSORS {
            return None;
        }
        let mut parts = vec![Vec::new()];
        let mut size = 0;
        for process in processes {
            if size >= ROWS_A_PART {
                parts.push(Vec::new());
                size = 0;
            }
            size += rows(process);
            if let Some(part) = parts.last_mut() {
                part.push(process.pid);
            }
        }
        Some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processes(count: u32, slots: u32) -> Vec<Process> {
        (1..=count)
            .map(|pid| Process {
                pid,
                slots,
                started: 0,
            })
            .collect()
    }

    #[test]
    fn walks_that_pay_are_split_and_no_others() {
        let many = Splitter::with(4);
        assert!(many.parts("task", &processes(10_000, 1024)).is_none());
        assert!(
            many.parts("task_file", &processes(10_000, FIRST_SLOTS))
                .is_none()
        );
        assert!(many.parts("task_file", &processes(10, 256)).is_none());
        assert!(many.parts("task_vma", &processes(100, 64)).is_none());
        assert!(many.parts("task_vma", &processes(1000, 64)).is_some());
        assert!(
            Splitter::with(2)
                .parts("task_vma", &processes(1000, 64))
                .is_none()
        );
    }

    #[test]
    fn every_process_is_in_one_part_in_its_order() {
        let many = Splitter::with(4);
        for (count, slots) in [(1000, 1024), (3, 1 << 20), (100_000, 128)] {
            let parts = many.parts("task_file", &processes(count, slots)).unwrap();
            assert!(parts.len() > 1 && parts.iter().all(|part| !part.is_empty()));
            assert_eq!(parts.concat(), (1..=count).collect::<Vec<_>>());
        }
    }
}
