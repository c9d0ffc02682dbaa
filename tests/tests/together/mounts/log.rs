//! The log of a mount in the foreground.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::programs;
use iterfs_tests::mount::installed::Installed;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// A failure that repeats takes few lines of the log.
#[test]
fn a_storm_of_failures_does_not_fill_the_log() {
    let installed = Installed::new();
    let daemon = installed.serve("");
    let ctl = installed.seen(&installed.mountpoint().join("ctl"));
    for number in 0..1000 {
        fs::write(&ctl, format!("nonsense {number}")).unwrap_err();
    }
    daemon.signal(Signal::SIGTERM);
    let (_, log) = daemon.end();
    let about = log.iter().filter(|line| line.contains("nonsense"));
    let about: Vec<_> = about.collect();
    assert!((1..=200).contains(&about.len()), "{} lines", about.len());
    assert!(
        about.iter().any(|line| line.contains("left out")),
        "{about:?}"
    );
}

#[test]
fn a_log_that_is_no_terminal_has_no_colours() {
    let mount = Mount::new();
    fs::write(mount.path("ctl"), "dance").unwrap_err();
    let log = mount.log();
    assert!(!log.is_empty());
    for line in log {
        assert!(!line.contains('\x1b'), "{line:?}");
        assert!(
            line.contains(" INFO ") || line.contains(" ERROR "),
            "{line:?}"
        );
    }
}

/// The reader of the log may go away, as a closed terminal does.
#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut daemon = Command::new(programs::iterfs())
        .args(["mount", "-f"])
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
    let mounted = lines.any(|line| line.unwrap().contains("mounted on "));
    drop(lines);
    // Each failure is logged, each on another thread.
    let refused = (0..20)
        .map(|_| fs::write(directory.path().join("ctl"), "dance").unwrap_err())
        .all(|error| error.raw_os_error() == Some(nix::libc::EINVAL));
    let report = fs::read_to_string(directory.path().join("ctl"));
    kill(Pid::from_raw(daemon.id() as i32), Signal::SIGTERM).unwrap();
    let status = daemon.wait().unwrap();
    while umount2(directory.path(), MntFlags::MNT_DETACH).is_ok() {}
    assert!(mounted && refused);
    assert!(report.unwrap().starts_with("path"));
    assert_eq!(status.code(), Some(0));
}
