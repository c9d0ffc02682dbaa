//! A mount of its own for each test.

pub mod automounter;
pub mod configured;
pub mod control;
pub mod daemon;
pub mod foreground;
pub mod installed;

use crate::fixtures::programs;
use crate::sys;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use tempfile::TempDir;

/// One row, as its JSON object.
pub type Row = serde_json::Map<String, serde_json::Value>;

/// A mounted tree, served by a daemon of its own until dropped.
pub struct Mount {
    directory: TempDir,
    daemon: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Mount {
    /// A mount with the default options.
    pub fn new() -> Mount {
        Mount::with_options("")
    }

    /// A mount with the options of `-o`.
    pub fn with_options(options: &str) -> Mount {
        let directory = tempfile::Builder::new()
            .prefix("iterfs-test-")
            .tempdir()
            .expect("a directory to mount on");
        let mut command = Command::new(programs::iterfs());
        command
            .arg("mount")
            .arg("-f")
            .args(["-o", options])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        sys::end_with_this_thread(&mut command);
        let mut daemon = command.spawn().expect("iterfs starts");

        let mut lines = BufReader::new(daemon.stderr.take().expect("a pipe")).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        for line in lines.by_ref().map_while(Result::ok) {
            let mounted = line.contains("mounted on ");
            log.lock().unwrap().push(line);
            if mounted {
                break;
            }
        }
        let later = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                later.lock().unwrap().push(line);
            }
        });
        let mount = Mount {
            directory,
            daemon,
            log,
        };
        assert!(
            mount.path("tasks").exists(),
            "nothing mounted: {:?}",
            mount.log()
        );
        mount
    }

    /// The mounted directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A path below the mount.
    pub fn path(&self, below: &str) -> PathBuf {
        self.directory().join(below)
    }

    /// The daemon's process id.
    pub fn daemon(&self) -> u32 {
        self.daemon.id()
    }

    /// What the daemon has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The bytes of a file, read to its end.
    pub fn read(&self, below: &str) -> Vec<u8> {
        let path = self.path(below);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The text of a file.
    pub fn text(&self, below: &str) -> String {
        String::from_utf8(self.read(below)).expect("tables are UTF-8")
    }

    /// The rows of a table, such as `tasks` or `pid/1/files`.
    pub fn rows(&self, table: &str) -> Vec<Row> {
        self.text(&format!("{table}.jsonl"))
            .lines()
            .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
            .collect()
    }
}

impl Default for Mount {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.daemon.id() as i32), Signal::SIGTERM);
        let _ = self.daemon.wait();
        // A daemon that crashed has left its mount.
        while umount2(self.directory(), MntFlags::MNT_DETACH).is_ok() {}
    }
}
