//! A daemon in the foreground, whose log and exit code a test looks at.

use super::daemon::Daemon;
use crate::sys;
use crate::wait::{DEADLINE, comes_true};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, MutexGuard};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// `iterfs mount -f`, mounted. It is ended when dropped, by SIGKILL if need be.
#[derive(Debug)]
pub struct Server {
    process: Child,
    log: Arc<Log>,
}

/// The lines of a log so far, and whether it has ended.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    grown: Condvar,
}

impl Server {
    /// Runs a command that is `iterfs mount -f` in the end, and waits until it has mounted.
    pub(super) fn start(mut command: Command) -> Server {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        sys::end_with_this_thread(&mut command);
        let mut process = command.spawn().expect("iterfs starts");
        let lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let log = Arc::<Log>::default();
        let written = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                written.add(|(lines, _)| lines.push(line));
            }
            written.add(|(_, ended)| *ended = true);
        });
        let server = Server { process, log };
        server.wait_for("mounted on ");
        server
    }

    /// The daemon's process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).expect("a process id"))
    }

    /// The daemon, as /proc shows it.
    pub fn daemon(&self) -> Daemon {
        Daemon(self.process.id())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the daemon runs");
    }

    /// The lines that it has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().0.clone()
    }

    /// Waits until it has logged a line with this text.
    pub fn wait_for(&self, text: &str) {
        let has = |lines: &[String]| lines.iter().any(|line| line.contains(text));
        let found = self.log.wait(|lines, ended| ended || has(lines));
        assert!(has(&found), "never logged: {text}; but: {found:?}");
    }

    /// Waits for its end. Returns how it ended, and all that it logged.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        // The log ends with the process.
        let lines = self.log.wait(|_, ended| ended);
        assert!(self.log.lock().1, "it goes on: {lines:?}");
        (self.process.wait().expect("a child"), lines)
    }
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, (Vec<String>, bool)> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, change: impl FnOnce(&mut (Vec<String>, bool))) {
        change(&mut self.lock());
        self.grown.notify_all();
    }

    /// Waits until the log is as wanted, or [`DEADLINE`] has passed; the lines then.
    fn wait(&self, wanted: impl Fn(&[String], bool) -> bool) -> Vec<String> {
        let not_yet = |(lines, ended): &mut (Vec<String>, bool)| !wanted(lines, *ended);
        let waited = self
            .grown
            .wait_timeout_while(self.lock(), DEADLINE, not_yet);
        waited.unwrap_or_else(PoisonError::into_inner).0.0.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill(self.pid(), Signal::SIGTERM);
        if !comes_true(|| !matches!(self.process.try_wait(), Ok(None))) {
            // A daemon that hangs is what a test just failed about.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
