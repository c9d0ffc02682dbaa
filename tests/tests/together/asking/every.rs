//! Names that ask for one pass after another, through a mount.

use iterfs_tests::Mount;
use iterfs_tests::wait::{DEADLINE, wait_until};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

/// A process, ended when dropped.
struct Reader(Child);

impl Reader {
    /// A cat that waits between the first pass and the second, which comes much later.
    fn between_passes(mount: &Mount) -> Reader {
        // A test that nohup(1) or a shell's background job started ignores signals.
        let mut command = Command::new("env");
        let name = format!("tasks@tid={},pid,every=1h.csv", std::process::id());
        command.args(["--default-signal", "cat"]);
        command.arg(mount.path(&name)).stdout(Stdio::piped());
        let mut reader = Reader(command.spawn().unwrap());
        let mut lines = BufReader::new(reader.0.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "time,pid\r\n");
        lines.read_line(&mut line).unwrap();
        reader.0.stdout = Some(lines.into_inner());
        let call = format!("/proc/{}/syscall", reader.0.id());
        let read = format!("{} ", libc::SYS_read);
        wait_until("the reader waits", || {
            fs::read_to_string(&call).is_ok_and(|call| call.starts_with(&read))
        });
        reader
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn passes_follow_each_other_below_one_header() {
    let mount = Mount::new();
    let pid = std::process::id();
    let file = File::open(mount.path(&format!("tasks@tid={pid},pid,every=20ms.csv"))).unwrap();
    let mut lines = BufReader::new(file).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "time,pid");
    let mut times = Vec::new();
    for line in lines.by_ref().take(4) {
        let line = line.unwrap();
        let (time, shown) = line.split_once(',').unwrap();
        assert_eq!(shown, pid.to_string());
        assert_eq!(time.len(), "2000-01-01T00:00:00.000Z".len(), "{time}");
        times.push(time.to_owned());
    }
    assert!(times.is_sorted_by(|one, next| one < next), "{times:?}");
}

#[test]
fn a_reader_between_passes_can_be_killed() {
    let mount = Mount::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let mut reader = Reader::between_passes(&mount);
        kill(Pid::from_raw(reader.0.id() as i32), signal).unwrap();
        wait_until("the reader ends", || reader.0.try_wait().unwrap().is_some());
        let status = reader.0.wait().unwrap();
        assert_eq!(status.signal(), Some(signal as i32));
    }
}

#[test]
fn a_reader_between_passes_does_not_keep_the_daemon() {
    let mount = Mount::new();
    let mut reader = Reader::between_passes(&mount);
    let daemon = mount.daemon();
    kill(Pid::from_raw(daemon as i32), Signal::SIGTERM).unwrap();
    wait_until("the reader's file ends", || {
        reader.0.try_wait().unwrap().is_some()
    });
    wait_until("the daemon ends", || {
        let stat = fs::read_to_string(format!("/proc/{daemon}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z"))
    });
}

#[test]
fn poll_tells_when_a_pass_has_rows() {
    let mount = Mount::new();
    let pid = std::process::id();
    let mut file =
        File::open(mount.path(&format!("tasks@tid={pid},pid,every=50ms.jsonl"))).unwrap();
    let timeout = PollTimeout::try_from(DEADLINE.as_millis() as i32).unwrap();
    let mut buffer = [0; 4096];
    for _ in 0..3 {
        let mut polled = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut polled, timeout).unwrap(), 1);
        assert_eq!(polled[0].revents(), Some(PollFlags::POLLIN));
        let length = file.read(&mut buffer).unwrap();
        assert!(buffer[..length].ends_with(format!("\"pid\":{pid}}}\n").as_bytes()));
    }
    // Nothing is there until the next pass, which is far away.
    let mut file = File::open(mount.path(&format!("tasks@tid={pid},pid,every=1h.jsonl"))).unwrap();
    assert!(file.read(&mut buffer).unwrap() > 0);
    let mut polled = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut polled, PollTimeout::ZERO).unwrap(), 0);
    // A plain table is always ready.
    let file = File::open(mount.path("tasks")).unwrap();
    let mut polled = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut polled, PollTimeout::ZERO).unwrap(), 1);
}
