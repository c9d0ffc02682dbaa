//! Decides whether a pass is worth making process by process, with several walks at a time.
//!
//! A link to one process takes some 8 us to make, start and close, while a walk over everything
//! has no such cost but uses one processor. Splitting therefore pays only if processes hold
//! many objects and processors are free: while one processor reads, another is busy formatting
//! the rows.

use iterfs_mapping::contract::Process;
use parking_lot::Mutex;
use rustix::system::sysinfo;
use std::collections::HashMap;
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

/// With fewer processors, none is free for a second walk while another one formats the rows.
const FEW_PROCESSORS: usize = 3;

/// The same for a walk of which the program keeps few rows, so that there is little to format.
const FEW_PROCESSORS_FOR_FEW_ROWS: usize = 2;

/// With fewer threads in the system, splitting is not considered.
const FEW_THREADS: u16 = 100;

/// The number of slots that every descriptor table has (include/linux/fdtable.h,
/// NR_OPEN_DEFAULT).
const FIRST_SLOTS: u32 = 64;

/// A walk over fewer files than this is short.
const FEW_FILES: u64 = 50_000;

/// The rows per part: enough to make its links cheap, and few enough to wait for.
const ROWS_A_PART: u64 = 2000;

/// The typical number of mappings of a process, and the number of processes from which
/// splitting pays off.
const MAPPINGS_A_PROCESS: u64 = 64;
const MANY_PROCESSES: usize = 400;

/// Decides which walks to split.
#[derive(Debug)]
pub(crate) struct Splitter {
    /// The number of processors that this process may use. Read once, because it takes reading
    /// several files.
    processors: usize,
    /// The time at which splitting last did not pay off, by target. The processes' objects
    /// change slowly, and listing them may take a tenth of the time of the walk.
    refusals: Mutex<HashMap<String, Instant>>,
}

/// The time for which a refusal is remembered.
const REMEMBERED: Duration = Duration::from_secs(5);

impl Splitter {
    /// A splitter for the current number of processors.
    pub(crate) fn new() -> Splitter {
        Splitter::with(thread::available_parallelism().map_or(1, NonZero::get))
    }

    fn with(processors: usize) -> Splitter {
        Splitter {
            processors,
            refusals: Mutex::default(),
        }
    }

    /// Whether a processor is free for a second walk.
    fn has_free_processors(&self, few_rows: bool) -> bool {
        let few = match few_rows {
            true => FEW_PROCESSORS_FOR_FEW_ROWS,
            false => FEW_PROCESSORS,
        };
        self.processors >= few
    }

    /// Whether splitting a walk over this target may pay off. `few_rows` says that the program
    /// leaves rows out. Checked before the processes are listed, which takes longer than a small
    /// table.
    pub(crate) fn may_pay(&self, target: &str, few_rows: bool) -> bool {
        if !self.has_free_processors(few_rows) {
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

    /// Notes that splitting does not pay off at present.
    pub(crate) fn refuse(&self, target: &str) {
        self.refusals.lock().insert(target.into(), Instant::now());
    }

    /// The processes, split into parts if that pays off.
    pub(crate) fn parts(
        &self,
        target: &str,
        processes: &[Process],
        few_rows: bool,
    ) -> Option<Vec<Vec<u32>>> {
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
        if !pays || !self.has_free_processors(few_rows) {
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
        assert!(
            many.parts("task", &processes(10_000, 1024), false)
                .is_none()
        );
        assert!(
            many.parts("task_file", &processes(10_000, FIRST_SLOTS), false)
                .is_none()
        );
        assert!(many.parts("task_file", &processes(10, 256), true).is_none());
        assert!(many.parts("task_vma", &processes(100, 64), true).is_none());
        assert!(
            many.parts("task_vma", &processes(1000, 64), false)
                .is_some()
        );
        let two = Splitter::with(2);
        assert!(two.parts("task_vma", &processes(1000, 64), false).is_none());
        assert!(two.parts("task_vma", &processes(1000, 64), true).is_some());
        let one = Splitter::with(1);
        assert!(one.parts("task_vma", &processes(1000, 64), true).is_none());
    }

    #[test]
    fn every_process_is_in_one_part_in_its_order() {
        let many = Splitter::with(4);
        for (count, slots) in [(1000, 1024), (3, 1 << 20), (100_000, 128)] {
            let parts = many
                .parts("task_file", &processes(count, slots), false)
                .unwrap();
            assert!(parts.len() > 1 && parts.iter().all(|part| !part.is_empty()));
            assert_eq!(parts.concat(), (1..=count).collect::<Vec<_>>());
        }
    }
}
