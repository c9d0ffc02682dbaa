//! A daemon in the foreground, whose log and exit code a test looks at.

use crate::fixtures::programs;
use crate::mount::installed::Installed;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a daemon may take to mount or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// `iterfs mount -f`, mounted. It is killed when dropped.
#[derive(Debug)]
pub struct Foreground {
    daemon: Child,
    log: Receiver<String>,
    lines: Vec<String>,
}

impl Foreground {
    /// Mounts with the options of `-o`, if there are any.
    pub fn mount(installed: &Installed, options: &str) -> Foreground {
        Foreground::start(installed.command(programs::iterfs()), installed, options)
    }

    /// The same, where iterfs is the last argument of another command.
    pub fn start(mut command: Command, installed: &Installed, options: &str) -> Foreground {
        command.arg("mount").arg("-f");
        if !options.is_empty() {
            command.arg("-o").arg(OsStr::new(options));
        }
        let mut daemon = command
            .arg(installed.mountpoint())
            .stderr(Stdio::piped())
            .spawn()
            .expect("iterfs starts");
        let mut lines = BufReader::new(daemon.stderr.take().expect("a pipe")).lines();
        let (say, log) = channel();
        thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                let _ = say.send(line);
            }
        });
        let mut foreground = Foreground {
            daemon,
            log,
            lines: Vec::new(),
        };
        foreground.wait_for("mounted on ");
        foreground
    }

    /// The daemon's process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.daemon.id()).expect("a process id"))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the daemon runs");
    }

    /// Waits until it has logged a line with this text.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.log.recv_timeout(deadline - Instant::now()) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.lines.push(line);
                    if found {
                        return;
                    }
                }
                Err(_) => unreachable!("never logged: {text}; but: {:?}", self.lines),
            }
        }
    }

    /// Waits for its end; how it ended, and all that it logged.
    pub fn end(mut self) -> (ExitStatus, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        // The log ends with the process.
        loop {
            match self.log.recv_timeout(deadline - Instant::now()) {
                Ok(line) => self.lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => unreachable!("it goes on: {:?}", self.lines),
            }
        }
        let status = self.daemon.wait().expect("a child");
        (status, std::mem::take(&mut self.lines))
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
