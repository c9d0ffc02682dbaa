//! Smaller things that a test makes and that go with it.

use crate::proc;
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A cgroup of the test's own, two below the root; empty when it is dropped.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes it; one a test process.
    pub fn new() -> Cgroup {
        let name = format!("iterfs-test-{}", std::process::id());
        let path = proc::cgroup_root().join(name).join("inner");
        fs::create_dir_all(&path).expect("a cgroup");
        Cgroup(path)
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Cgroup {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for directory in self.0.ancestors().take(2) {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// A child that is killed and waited for when dropped.
#[derive(Debug)]
pub struct Ended(Child);

impl Ended {
    /// Starts a command.
    pub fn start(program: &str, arguments: &[&str]) -> Ended {
        let child = Command::new(program).args(arguments).spawn();
        Ended(child.expect("the child starts"))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The same, for signals.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id() as i32)
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
