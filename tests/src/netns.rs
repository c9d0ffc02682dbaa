//! A net namespace of its own for a test.

use nix::sched::{CloneFlags, unshare};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::thread;

/// Runs `work` on a thread in a new, empty net namespace, which goes when the
/// work and the processes it started have ended.
pub fn in_new_net_namespace<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a new net namespace");
            work()
        });
        match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Runs a command to its end in the thread's namespaces; it must succeed.
pub fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a command");
    let output = Command::new(program).args(words).output();
    let output = output.unwrap_or_else(|error| unreachable!("{command}: {error}"));
    assert!(output.status.success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).expect("a command's output is text")
}

/// A net namespace that no process is in, with a name of ip-netns(8)'s.
#[derive(Debug)]
pub struct Named(String);

impl Named {
    /// One of a name that no other test has.
    pub fn new(name: &str) -> Named {
        // What a test that was killed has left.
        let _ = Command::new("ip").args(["netns", "delete", name]).output();
        run(&format!("ip netns add {name}"));
        Named(name.to_owned())
    }

    /// Its inode number.
    pub fn inode(&self) -> u32 {
        let found = std::fs::metadata(format!("/run/netns/{}", self.0));
        found.expect("a namespace").ino() as u32
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let deleted = Command::new("ip")
            .args(["netns", "delete", &self.0])
            .output();
        drop(deleted);
    }
}
