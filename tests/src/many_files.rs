//! Processes that hold many open files and do nothing else.

use crate::sys;
use crate::workload::Workload;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The processes; they end when this is dropped.
#[derive(Debug)]
pub struct ManyFiles {
    leader: Child,
    pids: Vec<u32>,
    files_each: usize,
}

impl ManyFiles {
    /// Starts `processes` that hold `files_each` open files more than the three
    /// standard ones.
    pub fn start(processes: usize, files_each: usize) -> ManyFiles {
        let mut command = Command::new(Workload::program());
        command
            .arg("many")
            .args([processes.to_string(), files_each.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A log file that grows would be a row that changes.
            .stderr(Stdio::null());
        sys::end_with_this_thread(&mut command);
        let mut leader = command.spawn().expect("the workload starts");
        let mut line = String::new();
        BufReader::new(leader.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line of process ids");
        let facts: Value = serde_json::from_str(&line).expect("facts as JSON");
        let pids = facts["pids"].as_array().expect("a list of process ids");
        let pids: Vec<u32> = pids
            .iter()
            .filter_map(|pid| u32::try_from(pid.as_u64()?).ok())
            .collect();
        assert_eq!(pids.len(), processes, "{line:?}");
        ManyFiles {
            leader,
            pids,
            files_each,
        }
    }

    /// The first process, in `pid/<n>` of which nothing changes.
    pub fn pid(&self) -> u32 {
        self.pids[0]
    }

    /// Every process.
    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// How many rows of `files` a process has.
    pub fn rows_each(&self) -> usize {
        self.files_each + 3
    }

    /// How many rows of `files` they have together.
    pub fn rows(&self) -> usize {
        self.rows_each() * self.pids.len()
    }

    /// The table of the first process's files, below a mount.
    pub fn table(&self) -> String {
        format!("pid/{}/files", self.pid())
    }
}

impl Drop for ManyFiles {
    fn drop(&mut self) {
        // All of them read the one pipe, and its end ends them all.
        drop(self.leader.stdin.take());
        let _ = self.leader.wait();
    }
}
