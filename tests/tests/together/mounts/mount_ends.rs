//! The end of mounts: by signals, by aborts, by the daemon's death; and what the next
//! mount does with dead mounts.

use iterfs_tests::mount::installed::{Installed, Outcome, gone};
use iterfs_tests::mount::server::Server;
use iterfs_tests::wait::comes_true;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use rustix::fs::major;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const MOUNT_FAILED: i32 = 32;
const SYSTEM_ERROR: i32 = 2;
const TYPE: &str = "fuse.iterfs";

fn assert_mounts(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

fn assert_answers(installed: &Installed) {
    let directory = installed.mountpoint();
    assert_eq!(installed.mounted_on(&directory), [TYPE]);
    let tasks = fs::read_to_string(seen(installed, "tasks")).unwrap();
    assert!(tasks.lines().count() > 1, "{tasks}");
}

fn seen(installed: &Installed, below: &str) -> PathBuf {
    installed.seen(&installed.mountpoint().join(below))
}

/// Has the kernel keep the attributes of the root, as any `ls` does.
fn look_at_it(installed: &Installed) {
    assert_answers(installed);
    let directory = installed.mountpoint();
    let looked = installed.run("stat", &[&directory]);
    assert_eq!(looked.code, Some(0), "{looked:?}");
}

/// The files that fusectl has for a mount.
struct Connection(PathBuf);

impl Connection {
    fn of(installed: &Installed) -> Connection {
        let device = fs::metadata(installed.seen(&installed.mountpoint()))
            .unwrap()
            .dev();
        assert_eq!(major(device), 0, "an anonymous device");
        // Mount a fusectl of our own, because the machine's need not be mounted.
        let control = installed.scratch("fusectl");
        if !control.exists() {
            fs::create_dir(&control).unwrap();
            let name = control.to_str().unwrap();
            let mounted = installed.run("mount", &["-t", "fusectl", "fusectl", name]);
            assert_eq!(mounted.code, Some(0), "{mounted:?}");
        }
        let minor = rustix::fs::minor(device);
        Connection(installed.seen(&control.join(minor.to_string())))
    }

    fn abort(&self) {
        fs::write(self.0.join("abort"), "1").unwrap();
    }
}

#[test]
fn a_dead_mount_is_cleared_though_its_attributes_are_cached() {
    let installed = Installed::new();
    assert_mounts(&installed.iterfs_mount(&[]));
    for _ in 0..3 {
        look_at_it(&installed);
        let daemon = installed.daemon();
        kill(daemon, Signal::SIGKILL).unwrap();
        assert!(gone(daemon));
        assert_mounts(&installed.iterfs_mount(&[]));
        assert_answers(&installed);
    }
}

#[test]
fn dead_mounts_that_lie_on_each_other_are_all_cleared() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let name = directory.to_str().unwrap();
    for _ in 0..2 {
        // Without another mount between them, the second would be refused.
        assert_mounts(&installed.iterfs_mount(&[]));
        look_at_it_lowest(&installed);
        assert_mounts(&installed.mount(&["-t", "tmpfs", "between", name]));
    }
    for daemon in installed.daemons(&directory) {
        kill(daemon, Signal::SIGKILL).unwrap();
        assert!(gone(daemon));
    }
    // The uppermost mount is not ours, and may be mounted on.
    assert_mounts(&installed.iterfs_mount(&[]));
    assert_eq!(
        installed.mounted_on(&directory),
        [TYPE, "tmpfs", TYPE, "tmpfs", TYPE]
    );
    assert_eq!(installed.run("umount", &[name]).code, Some(0));
    assert_eq!(installed.run("umount", &[name]).code, Some(0));
    assert_mounts(&installed.iterfs_mount(&[]));
    assert_eq!(installed.mounted_on(&directory), [TYPE, "tmpfs", TYPE]);
}

fn look_at_it_lowest(installed: &Installed) {
    let looked = installed.run("stat", &[installed.mountpoint()]);
    assert_eq!(looked.code, Some(0), "{looked:?}");
}

#[test]
fn a_dead_mount_of_another_filesystem_is_left_alone() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let other = r#"exec 3<>/dev/fuse
        mount -i -t fuse.other -o fd=3,rootmode=40000,user_id=0,group_id=0 other "$0""#;
    let mounted = installed.run("sh", &["-ec", other, directory.to_str().unwrap()]);
    assert_mounts(&mounted);
    let refused = installed.iterfs_mount(&[]);
    assert_eq!(refused.code, Some(MOUNT_FAILED), "{refused:?}");
    assert_eq!(refused.complaint.lines().count(), 1, "{refused:?}");
    assert!(refused.complaint.contains("fuse.other"), "{refused:?}");
    assert_eq!(installed.mounted_on(&directory), ["fuse.other"]);
}

#[test]
fn a_mount_whose_daemon_hangs_is_refused() {
    let installed = Installed::new();
    assert_mounts(&installed.iterfs_mount(&[]));
    look_at_it(&installed);
    let daemon = installed.daemon();
    kill(daemon, Signal::SIGSTOP).unwrap();
    let begun = Instant::now();
    let refused = installed.iterfs_mount(&[]);
    let took = begun.elapsed();
    kill(daemon, Signal::SIGCONT).unwrap();
    assert_eq!(refused.code, Some(MOUNT_FAILED), "{refused:?}");
    assert_eq!(refused.complaint.lines().count(), 1, "{refused:?}");
    assert!(refused.complaint.contains("does not answer"), "{refused:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(installed.daemons(&installed.mountpoint()), [daemon]);
    assert_answers(&installed);
}

#[test]
fn an_aborted_mount_is_taken_away() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    for held_open in [false, true] {
        let daemon = installed.serve("");
        look_at_it(&installed);
        let file = held_open.then(|| File::open(seen(&installed, "tasks")).unwrap());
        Connection::of(&installed).abort();
        let (status, log) = daemon.end();
        assert_eq!(status.code(), Some(SYSTEM_ERROR), "{log:?}");
        let last = log.last().unwrap();
        assert!(last.contains("aborted"), "{log:?}");
        assert!(
            !log.iter().any(|line| line.contains("unmounted from")),
            "{log:?}"
        );
        assert_eq!(installed.mounted_on(&directory), [""; 0]);
        drop(file);
    }
    // In the background, too.
    assert_mounts(&installed.iterfs_mount(&[]));
    look_at_it(&installed);
    let daemon = installed.daemon();
    Connection::of(&installed).abort();
    assert!(gone(daemon));
    assert_eq!(installed.mounted_on(&directory), [""; 0]);
    assert_mounts(&installed.iterfs_mount(&[]));
    assert_answers(&installed);
}

#[test]
fn an_aborted_mount_below_anothers_stays_there() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let daemon = installed.serve("");
    look_at_it(&installed);
    let connection = Connection::of(&installed);
    let name = directory.to_str().unwrap();
    assert_mounts(&installed.mount(&["-t", "tmpfs", "over", name]));
    connection.abort();
    let (status, log) = daemon.end();
    assert_eq!(status.code(), Some(SYSTEM_ERROR), "{log:?}");
    assert_eq!(installed.mounted_on(&directory), [TYPE, "tmpfs"]);
}

/// `umount -f` aborts before it unmounts, and fails if the mount is in use.
#[test]
fn a_forced_unmount_ends_as_it_came_out() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let forced = || installed.run("umount", &["-f", directory.to_str().unwrap()]);

    let daemon = installed.serve("");
    look_at_it(&installed);
    let unmounted = forced();
    let (status, log) = daemon.end();
    assert_eq!(unmounted.code, Some(0), "{unmounted:?}");
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(log.last().unwrap().contains("unmounted"), "{log:?}");

    let daemon = installed.serve("");
    let mut file = File::open(seen(&installed, "tasks")).unwrap();
    file.read_exact(&mut [0; 4]).unwrap();
    assert_ne!(forced().code, Some(0));
    let (status, log) = daemon.end();
    assert_eq!(status.code(), Some(SYSTEM_ERROR), "{log:?}");
    assert!(log.last().unwrap().contains("aborted"), "{log:?}");
    assert_eq!(installed.mounted_on(&directory), [""; 0]);
}

#[test]
fn signals_that_end_other_programs_unmount_or_are_ignored() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT] {
        let daemon = installed.serve("");
        look_at_it(&installed);
        send(&daemon, signal);
        let (status, log) = daemon.end();
        assert_eq!(status.code(), Some(0), "signal {signal}: {log:?}");
        assert_eq!(installed.mounted_on(&directory), [""; 0], "signal {signal}");
    }
    assert_mounts(&installed.iterfs_mount(&[]));
    let daemon = installed.daemon();
    let harmless = [
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGPIPE,
        libc::SIGIO,
        libc::SIGPWR,
        libc::SIGSTKFLT,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGRTMIN(),
        libc::SIGRTMAX(),
    ];
    for signal in harmless {
        kill_raw(daemon.as_raw(), signal);
        // A fatal signal would end every thread before it served another request.
        assert_answers(&installed);
        assert_eq!(installed.daemons(&directory), [daemon], "signal {signal}");
    }
}

fn send(daemon: &Server, signal: i32) {
    kill_raw(daemon.pid().as_raw(), signal);
}

/// Any signal: nix knows no real-time ones.
fn kill_raw(process: i32, signal: i32) {
    let (process, signal) = (process.to_string(), format!("-{signal}"));
    let status = Command::new("kill").args([signal, process]).status();
    assert!(status.unwrap().success());
}

#[test]
fn sighup_reloads_the_configuration() {
    let installed = Installed::new();
    let config = installed.scratch("iterfs.toml");
    let rule = |mode: &str| format!("[[allow]]\npath = \"tasks\"\nmode = \"{mode}\"\n");
    fs::write(&config, rule("0400")).unwrap();
    let options = format!("config={}", config.display());
    let daemon = installed.serve(&options);
    let mode = || fs::metadata(seen(&installed, "tasks")).unwrap().mode() & 0o7777;
    assert_eq!(mode(), 0o400);
    fs::write(&config, rule("0444")).unwrap();
    daemon.signal(Signal::SIGHUP);
    assert!(comes_true(|| mode() == 0o444));
    // An invalid configuration is logged and changes nothing.
    fs::write(&config, "nonsense").unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for("iterfs.toml:1");
    assert_eq!(mode(), 0o444);
    assert_answers(&installed);
}

/// With -f on a terminal SIGHUP means that the terminal was closed.
#[test]
fn a_closed_terminal_unmounts() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let iterfs = iterfs_tests::fixtures::programs::iterfs();
    // Not ignored, as it is in a test that nohup(1) started.
    let line = format!(
        "exec env --default-signal=HUP {} mount -f {}",
        iterfs.display(),
        directory.display()
    );
    // script(1) has the command run on a terminal that ends with itself.
    let mut terminal = installed
        .command("script")
        .args(["--quiet", "--command", &line, "/dev/null"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mounted = comes_true(|| installed.mounted_on(&directory) == [TYPE]);
    let _ = terminal.kill();
    let _ = terminal.wait();
    assert!(mounted);
    assert!(comes_true(|| installed.daemons(&directory).is_empty()));
    assert_eq!(installed.mounted_on(&directory), [""; 0]);
}

/// A bind mount elsewhere is a mount of the same filesystem: the daemon serves it until
/// it is unmounted as well, or until a signal.
#[test]
fn a_bind_mount_keeps_the_daemon() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let bound = installed.scratch("bound");
    fs::create_dir(&bound).unwrap();
    let bind = |daemon: &Server| {
        look_at_it(&installed);
        let names = [directory.to_str().unwrap(), bound.to_str().unwrap()];
        assert_mounts(&installed.mount(&["--bind", names[0], names[1]]));
        assert_eq!(installed.run("umount", &[&directory]).code, Some(0));
        assert_eq!(installed.mounted_on(&directory), [""; 0]);
        let tasks = fs::read_to_string(installed.seen(&bound.join("tasks"))).unwrap();
        assert!(tasks.lines().count() > 1);
        assert_eq!(installed.daemons(&directory), [daemon.pid()]);
    };

    let daemon = installed.serve("");
    bind(&daemon);
    assert_eq!(installed.run("umount", &[&bound]).code, Some(0));
    let (status, log) = daemon.end();
    assert_eq!(status.code(), Some(0), "{log:?}");
    assert!(log.last().unwrap().contains("unmounted"), "{log:?}");

    let daemon = installed.serve("");
    bind(&daemon);
    // Meanwhile the directory is free for another.
    assert_mounts(&installed.iterfs_mount(&[]));
    daemon.signal(Signal::SIGTERM);
    let (status, log) = daemon.end();
    assert_eq!(status.code(), Some(0), "{log:?}");
    let dead = fs::read_dir(installed.seen(&bound)).unwrap_err();
    assert_eq!(dead.raw_os_error(), Some(libc::ENOTCONN), "{dead}");
    assert_answers(&installed);
    assert_eq!(installed.run("umount", &[&bound]).code, Some(0));
}

#[test]
fn nothing_that_was_inherited_stays_open() {
    let installed = Installed::new();
    let lock = installed.scratch("lock");
    fs::write(&lock, "").unwrap();
    let script = r#"exec 3</etc/passwd 7>"$2" 123<>/dev/null; flock 7; exec "$0" mount "$1""#;
    let program = iterfs_tests::fixtures::programs::iterfs();
    let directory = installed.mountpoint();
    let arguments = [
        std::ffi::OsStr::new("-ec"),
        script.as_ref(),
        program.as_os_str(),
        directory.as_os_str(),
        lock.as_os_str(),
    ];
    assert_mounts(&installed.run("bash", &arguments));
    let daemon = installed.daemon();
    let open: Vec<_> = fs::read_dir(format!("/proc/{daemon}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .collect();
    for inherited in [PathBuf::from("/etc/passwd"), lock.clone()] {
        assert!(!open.contains(&inherited), "{open:?}");
    }
    assert!(
        !Path::new(&format!("/proc/{daemon}/fd/123")).exists(),
        "{open:?}"
    );
    // Nobody holds the lock.
    let locked = installed.run("flock", &["-n", lock.to_str().unwrap(), "true"]);
    assert_eq!(locked.code, Some(0), "{locked:?}");
    assert_answers(&installed);
}

/// A FIFO without a writer, and devices that never end.
#[test]
fn a_configuration_that_is_no_regular_file_is_refused() {
    let installed = Installed::new();
    let fifo = installed.scratch("fifo");
    let made = installed.run("mkfifo", &[&fifo]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let program = iterfs_tests::fixtures::programs::iterfs();
    let directory = installed.mountpoint();
    for file in [fifo.to_str().unwrap(), "/dev/zero", "/etc"] {
        let options = format!("config={file}");
        let arguments = ["60", program.to_str().unwrap(), "mount", "-o", &options];
        let arguments = [&arguments[..], &[directory.to_str().unwrap()]].concat();
        let refused = installed.run("timeout", &arguments);
        assert_eq!(refused.code, Some(MOUNT_FAILED), "{refused:?}");
        assert_eq!(refused.complaint.lines().count(), 1, "{refused:?}");
        assert!(refused.complaint.contains("regular file"), "{refused:?}");
        assert!(refused.complaint.contains(file), "{refused:?}");
        assert_eq!(installed.mounted_on(&directory), [""; 0]);
    }
}

#[test]
fn a_reload_does_not_wait_for_a_fifo() {
    let installed = Installed::new();
    let config = installed.scratch("iterfs.toml");
    fs::write(&config, "").unwrap();
    let _daemon = installed.serve(&format!("config={}", config.display()));
    fs::remove_file(&config).unwrap();
    let made = installed.run("mkfifo", &[&config]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let ctl = seen(&installed, "ctl");
    let reload = |ctl: PathBuf| thread::spawn(move || fs::write(ctl, "reload"));
    let first = reload(ctl.clone());
    assert!(comes_true(|| first.is_finished()), "the reload hangs");
    let error = first.join().unwrap().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
    fs::remove_file(&config).unwrap();
    fs::write(&config, "").unwrap();
    let second = reload(ctl);
    assert!(comes_true(|| second.is_finished()), "commands hang");
    second.join().unwrap().unwrap();
}
