//! Processes that hold many open files and do nothing else.

use crate::sys;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Closes what it inherited, opens argv[2] files and forks until there are argv[1] processes, each of which
/// holds them all; then tells the ids and waits for the end of standard input.
const PROGRAM: &str = r"
import os, sys
processes, files = map(int, sys.argv[1:])
os.closerange(3, 1 << 16)
for _ in range(files):
    os.open('/dev/null', os.O_RDONLY)
pids = [os.getpid()]
for _ in range(processes - 1):
    pid = os.fork()
    if pid == 0:
        os.read(0, 1)
        os._exit(0)
    pids.append(pid)
print(*pids, flush=True)
os.read(0, 1)
for pid in pids[1:]:
    os.waitpid(pid, 0)
";

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
        let mut command = Command::new("python3");
        command
            .args(["-c", PROGRAM])
            .args([processes.to_string(), files_each.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A log file that grows would be a row that changes.
            .stderr(Stdio::null());
        sys::end_with_this_thread(&mut command);
        let mut leader = command.spawn().expect("python3 starts");
        let mut line = String::new();
        BufReader::new(leader.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line of process ids");
        let pids: Vec<u32> = line
            .split_whitespace()
            .map(|pid| pid.parse().expect("a process id"))
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
