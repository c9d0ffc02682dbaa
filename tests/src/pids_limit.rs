//! A cgroup in which only so many threads may exist.

use crate::installed::wait_until;
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A cgroup with the pids controller, of either version. It is removed when dropped.
#[derive(Debug)]
pub struct PidsLimit(PathBuf);

impl PidsLimit {
    /// Makes one without a limit.
    pub fn new() -> PidsLimit {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("iterfs-pids-{}-{number}", std::process::id());
        let path = hierarchy().join(name);
        fs::create_dir(&path).expect("a cgroup");
        PidsLimit(path)
    }

    /// Sets the number of threads that may exist.
    pub fn set(&self, threads: u64) {
        fs::write(self.0.join("pids.max"), threads.to_string()).expect("a limit");
    }

    /// How many exist.
    pub fn current(&self) -> u64 {
        let current = fs::read_to_string(self.0.join("pids.current")).expect("a number");
        current.trim().parse().expect("a number")
    }

    /// Moves a process in.
    pub fn take(&self, process: Pid) {
        fs::write(self.procs(), process.to_string()).expect("the process is moved");
    }

    /// The file that a process is moved by.
    pub fn procs(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Default for PidsLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PidsLimit {
    fn drop(&mut self) {
        // Busy until the last of its processes has been waited for.
        wait_until(|| fs::remove_dir(&self.0).is_ok());
    }
}

/// Where the controller is mounted: of its own (v1), or with all others (v2), where it
/// is first turned on.
fn hierarchy() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mount table");
    let of = |kind: &str, option: &str| {
        mounts.lines().find_map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            let has = fields[2] == kind
                && (option.is_empty() || fields[3].split(',').any(|word| word == option));
            has.then(|| PathBuf::from(fields[1]))
        })
    };
    if let Some(path) = of("cgroup", "pids") {
        return path;
    }
    let path = of("cgroup2", "").expect("the pids controller");
    fs::write(Path::new(&path).join("cgroup.subtree_control"), "+pids").expect("the controller");
    path
}
