//! Whether a walk is worth being made process by process, several at a time.
//!
//! A link to one process costs some 8 us to make, begin and close; a walk over
//! everything costs nothing a process, and goes on one processor. So processes must
//! hold much, and be many, before it pays.

use std::fs;

/// Below these many open files in the system a walk is short.
const FEW_FILES: usize = 50_000;

/// A process with fewer files is walked faster than its link is made.
const FILES_A_PROCESS: usize = 32;

/// As many rows as make a part's link cheap, and its rows few enough to wait.
const ROWS_A_PART: usize = 2000;

/// Mappings a process has, by experience, and how many processes make it worth while.
const MAPPINGS_A_PROCESS: usize = 64;
const MANY_PROCESSES: usize = 400;

/// How many processes make a part of a walk over this target, if it is to be split.
pub(crate) fn processes_a_part(target: &str, processes: usize) -> Option<usize> {
    let rows = match target {
        "task_file" => {
            let files = open_files()?;
            let each = files / processes.max(1);
            (files >= FEW_FILES && each >= FILES_A_PROCESS).then_some(each)?
        }
        "task_vma" if processes >= MANY_PROCESSES => MAPPINGS_A_PROCESS,
        _ => return None,
    };
    Some((ROWS_A_PART / rows).max(1))
}

/// Open file descriptions in the system, of which a process's descriptors may share
/// some (proc_sys_fs(5), file-nr).
fn open_files() -> Option<usize> {
    let counts = fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    counts.split_whitespace().next()?.parse().ok()
}

/// Whether a walk may be split at all: a look at what its target is costs nothing.
pub(crate) fn may_split(target: &str) -> bool {
    match target {
        "task_file" => open_files().is_some_and(|files| files >= FEW_FILES),
        "task_vma" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_a_size() {
        assert_eq!(processes_a_part("task", 100_000), None);
        assert_eq!(processes_a_part("task_vma", 10), None);
        assert_eq!(processes_a_part("task_vma", 5000), Some(31));
        assert!(open_files().is_some());
    }
}
