//! Signals reach a reader in the middle of a pass that gives no row.

use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::wait::wait_until;
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gettid};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// A mount with the table `user/silent`, whose pass spends seconds in one step of the
/// kernel, and has no row.
struct Silent {
    control: Control,
    _objects: Workshop,
}

impl Silent {
    fn new() -> Silent {
        let objects = Workshop::new();
        let object = objects.compile("silent", "silent", &["TURNS=1200"]);
        let control = Control::new();
        control.command(&format!("load silent {}", object.display()));
        Silent {
            control,
            _objects: objects,
        }
    }

    fn path(&self) -> PathBuf {
        self.control.mount().path("user/silent")
    }

    /// A cat that waits in its first read.
    fn reader(&self) -> Reader {
        // A test that nohup(1) or a shell's background job started ignores signals.
        let mut command = Command::new("env");
        command.args(["--default-signal", "cat"]).arg(self.path());
        command.stdout(Stdio::piped());
        let reader = Reader(command.spawn().unwrap());
        let path = self.path();
        wait_until("the reader reads", || reader.waits_for(&path));
        reader
    }
}

/// A process, ended when dropped.
struct Reader(Child);

impl Reader {
    /// Whether the process has the file open and blocks in a system call.
    fn waits_for(&self, path: &Path) -> bool {
        let of = format!("/proc/{}", self.0.id());
        let is_open =
            (3..6).any(|fd| fs::read_link(format!("{of}/fd/{fd}")).is_ok_and(|to| to == path));
        let call = fs::read_to_string(format!("{of}/syscall")).unwrap_or_default();
        is_open && is_read(&call)
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signalled_reader_is_gone_while_another_waits_for_the_same_pass() {
    let silent = Silent::new();
    let mut other = silent.reader();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let mut reader = silent.reader();
        kill(Pid::from_raw(reader.0.id() as i32), signal).unwrap();
        let status = reader.0.wait().unwrap();
        assert_eq!(status.signal(), Some(signal as i32));
        assert!(other.is_running(), "{signal}: the pass was over before");
    }
    assert!(other.is_running());
}

#[test]
fn a_handled_signal_interrupts_a_read_which_can_be_read_on() {
    let handled = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&handled)).unwrap();
    let silent = Silent::new();
    let path = silent.path();
    let (tell, told) = channel();
    let reader = thread::spawn(move || {
        let mut file = File::open(path).unwrap();
        tell.send((pthread_self(), gettid())).unwrap();
        let mut buffer = [0; 4096];
        let interrupted = file.read(&mut buffer).unwrap_err();
        assert_eq!(interrupted.kind(), ErrorKind::Interrupted);
        // The pass goes on to its normal end.
        loop {
            match file.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result.unwrap(),
            }
        }
    });
    let (thread, tid) = told.recv().unwrap();
    let call = format!("/proc/self/task/{tid}/syscall");
    let reads = || fs::read_to_string(&call).is_ok_and(|call| is_read(&call));
    wait_until("the thread reads", reads);
    pthread_kill(thread, Signal::SIGUSR1).unwrap();
    assert_eq!(reader.join().unwrap(), 0);
    assert!(handled.load(Ordering::SeqCst));
}

/// Whether a line of /proc/<pid>/syscall is about read(2), which is number 0 on x86-64 and
/// 63 elsewhere.
fn is_read(call: &str) -> bool {
    call.starts_with("0 ") || call.starts_with("63 ")
}
