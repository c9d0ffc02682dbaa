//! Mounts come, answer and go, by `iterfs mount` and by mount(8); what cannot be
//! mounted is refused with one line and the exit code that mount(8) documents.

use iterfs_tests::fixtures::programs;
use iterfs_tests::mount::installed::{Installed, Outcome, finish, gone};
use iterfs_tests::wait::comes_true;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const USAGE: i32 = 1;
const MOUNT_FAILED: i32 = 32;
const TYPE: &str = "fuse.iterfs";

fn assert_mounts(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.complaint, "", "{outcome:?}");
    assert_eq!(outcome.output, "", "{outcome:?}");
}

/// Fails unless the outcome is one line that names the fault, this exit code, and nothing mounted.
fn assert_refused(installed: &Installed, outcome: &Outcome, code: i32, named: &str) {
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    assert_eq!(outcome.complaint.lines().count(), 1, "{outcome:?}");
    assert!(outcome.complaint.contains(named), "{named}: {outcome:?}");
    assert_eq!(outcome.output, "", "{outcome:?}");
    let directory = installed.mountpoint();
    assert_eq!(installed.mounted_on(&directory), [""; 0]);
    assert!(gone_all(installed));
}

fn gone_all(installed: &Installed) -> bool {
    comes_true(|| installed.daemons(&installed.mountpoint()).is_empty())
}

fn assert_answers(installed: &Installed, directory: &Path) {
    let tasks = fs::read_to_string(installed.seen(&directory.join("tasks"))).expect("tasks");
    assert!(tasks.lines().count() > 1, "{tasks}");
}

/// The daemon in the foreground, mounted.
fn in_foreground(installed: &Installed) -> Child {
    let mut command = installed.command(programs::iterfs());
    command
        .args(["mount", "-f"])
        .arg(installed.mountpoint())
        .stderr(Stdio::piped());
    let mut daemon = command.spawn().expect("iterfs starts");
    let mut log = BufReader::new(daemon.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("mounted on ") {
        line.clear();
        let read = log.read_line(&mut line).expect("a log");
        assert_ne!(read, 0, "it ended");
    }
    // Keep the pipe open: this test is not about logging to a closed one.
    daemon.stderr = Some(log.into_inner());
    daemon
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

#[test]
fn mount_returns_once_the_tree_answers() {
    let installed = Installed::new();
    // The output ends as well, because the daemon holds none of its descriptors.
    assert_mounts(&installed.iterfs_mount(&[]));
    let directory = installed.mountpoint();
    assert_answers(&installed, &directory);
    assert_eq!(installed.mounted_on(&directory), [TYPE]);
    assert_eq!(installed.mount_sources(&directory), ["iterfs"]);
    let options = &installed.mount_options(&directory)[0];
    for option in ["rw", "nosuid", "nodev", "noexec", "default_permissions"] {
        assert!(options.split(',').any(|word| word == option), "{options}");
    }
    assert!(!directory.join("tasks").exists(), "mounted outside");
    // A daemon holds on to no directory, terminal or session.
    let daemon = installed.daemon();
    assert_eq!(
        fs::read_link(format!("/proc/{daemon}/cwd")).unwrap(),
        Path::new("/")
    );
    assert_eq!(nix::unistd::getsid(Some(daemon)).unwrap(), daemon);
    for descriptor in 0..=2 {
        let file = fs::read_link(format!("/proc/{daemon}/fd/{descriptor}")).unwrap();
        assert_eq!(file, Path::new("/dev/null"));
    }
}

#[test]
fn umount_ends_the_daemon() {
    let installed = Installed::new();
    assert_mounts(&installed.iterfs_mount(&[]));
    let daemon = installed.daemon();
    let unmounted = installed.run("umount", &[installed.mountpoint()]);
    assert_eq!(unmounted.code, Some(0), "{unmounted:?}");
    assert!(gone(daemon));

    let mut daemon = in_foreground(&installed);
    installed.run("umount", &[installed.mountpoint()]);
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_unmounts_and_ends_well() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        for held_open in [false, true] {
            let mut daemon = in_foreground(&installed);
            assert_eq!(installed.mounted_on(&directory), [TYPE]);
            let file = held_open.then(|| {
                let mut file = File::open(installed.seen(&directory.join("tasks"))).unwrap();
                file.read_exact(&mut [0; 4]).unwrap();
                file
            });
            kill(pid(&daemon), signal).unwrap();
            let status = daemon.wait().unwrap();
            assert_eq!(status.code(), Some(0), "{signal} {held_open}");
            assert_eq!(installed.mounted_on(&directory), [""; 0]);
            drop(file);
        }
    }
}

#[test]
fn a_signal_ends_the_daemon_in_the_background() {
    let installed = Installed::new();
    assert_mounts(&installed.iterfs_mount(&[]));
    let daemon = installed.daemon();
    kill(daemon, Signal::SIGTERM).unwrap();
    assert!(gone(daemon));
    assert_eq!(installed.mounted_on(&installed.mountpoint()), [""; 0]);
}

#[test]
fn a_dead_mount_is_cleared_by_the_next() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    assert_mounts(&installed.iterfs_mount(&[]));
    let daemon = installed.daemon();
    kill(daemon, Signal::SIGKILL).unwrap();
    assert!(gone(daemon));
    let dead = || {
        let failed = fs::read_dir(installed.seen(&directory)).err();
        failed.and_then(|error| error.raw_os_error()) == Some(libc::ENOTCONN)
    };
    assert!(comes_true(dead));

    assert_mounts(&installed.iterfs_mount(&[]));
    assert_eq!(installed.mounted_on(&directory), [TYPE]);
    assert_answers(&installed, &directory);
}

#[test]
fn a_mount_over_ours_is_left_alone() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    assert_mounts(&installed.iterfs_mount(&[]));
    let daemon = installed.daemon();
    let name = directory.to_str().unwrap();
    let over = installed.mount(&["-t", "tmpfs", "over", name]);
    assert_eq!(over.code, Some(0), "{over:?}");
    kill(daemon, Signal::SIGTERM).unwrap();
    assert!(gone(daemon));
    assert_eq!(installed.mounted_on(&directory).last().unwrap(), "tmpfs");

    // Once that mount is gone, ours is dead, and the next mount clears it.
    assert_eq!(installed.run("umount", &[name]).code, Some(0));
    assert_mounts(&installed.iterfs_mount(&[]));
    assert_eq!(installed.mounted_on(&directory), [TYPE]);
    assert_answers(&installed, &directory);
}

#[test]
fn a_place_that_is_taken_is_refused() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    assert_mounts(&installed.iterfs_mount(&[]));
    let daemon = installed.daemon();
    for arguments in [&[][..], &["-f"]] {
        let second = installed.iterfs_mount(arguments);
        assert_eq!(second.code, Some(MOUNT_FAILED), "{second:?}");
        assert_eq!(second.complaint.lines().count(), 1, "{second:?}");
        assert!(second.complaint.contains("already"), "{second:?}");
    }
    assert_eq!(installed.mounted_on(&directory), [TYPE]);
    assert_eq!(installed.daemons(&directory), [daemon]);
    assert_answers(&installed, &directory);
}

#[test]
fn a_path_that_is_not_a_directory_is_refused() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let file = directory.join("file");
    fs::write(&file, "").unwrap();
    let at = |path: &Path| {
        let mut command = installed.command(programs::iterfs());
        finish(command.arg("mount").arg(path))
    };
    let missing = directory.join("missing");
    assert_refused(&installed, &at(&missing), MOUNT_FAILED, "missing");
    assert_refused(&installed, &at(&file), MOUNT_FAILED, "not a directory");
    assert_refused(&installed, &at(&file.join("below")), MOUNT_FAILED, "below");
    fs::remove_file(file).unwrap();
}

#[test]
fn invalid_options_are_refused_by_name() {
    let installed = Installed::new();
    let mut all = String::new();
    for (option, named) in [
        ("nonsense", "nonsense"),
        ("gidd=0", "gidd=0"),
        ("mode=0888", "0888"),
        ("mode=0640", "0640"),
        ("gid=no-such-group", "no-such-group"),
        ("uid=no-such-user", "no-such-user"),
        ("remount,ro", "remounted"),
    ] {
        for also in [&[][..], &["-f"]] {
            let arguments = [also, &["-o", option]].concat();
            let outcome = installed.iterfs_mount(&arguments);
            assert_refused(&installed, &outcome, USAGE, named);
            all += &format!(
                "iterfs mount {}\n    {}",
                arguments.join(" "),
                outcome.complaint
            );
        }
        // mount(8) passes the helper's line and exit code on.
        let name = installed.mountpoint();
        let outcome =
            installed.mount(&["-t", TYPE, "-o", option, "iterfs", name.to_str().unwrap()]);
        assert_refused(&installed, &outcome, USAGE, named);
    }
    insta::assert_snapshot!("refused_options", all);
}

#[test]
fn only_root_mounts() {
    let installed = Installed::new();
    // Give unprivileged users a path to the program, wherever the tests are built.
    let program = installed.scratch("iterfs");
    fs::write(&program, "").unwrap();
    let bind = [programs::iterfs(), program.clone()];
    let bound = finish(installed.command("mount").arg("--bind").args(&bind));
    assert_eq!(bound.code, Some(0), "{bound:?}");
    for also in [None, Some("-f")] {
        let mut command = installed.command("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&program)
            .arg("mount")
            .args(also)
            .arg(installed.mountpoint());
        assert_refused(&installed, &finish(&mut command), MOUNT_FAILED, "root");
    }
}

#[test]
fn mount_and_check_name_what_the_machine_lacks() {
    let without = |setup: &str, named: &str| {
        let installed = Installed::new();
        let ready = installed.run("sh", &["-ec", setup]);
        assert_eq!(ready.code, Some(0), "{ready:?}");
        assert_refused(
            &installed,
            &installed.iterfs_mount(&[]),
            MOUNT_FAILED,
            named,
        );
        let check = finish(installed.command(programs::iterfs()).arg("check"));
        assert_eq!(check.code, Some(1), "{check:?}");
        let lacking = check.output.lines().any(|line| line.starts_with("FAIL "));
        assert!(lacking, "{check:?}");
    };
    without(
        "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3",
        "/dev/fuse",
    );
    without("mount -t tmpfs none /sys/kernel/btf", "BTF");
}

#[test]
fn names_with_blanks_and_dashes_are_mounted_on() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    for name in ["a b", "-dash", "back\\slash"] {
        let below = directory.join(name);
        fs::create_dir(&below).unwrap();
        let mut command = installed.command("sh");
        command
            .args(["-c", r#"cd "$1" && "$2" mount -- "$3""#, "sh"])
            .args([&directory, &programs::iterfs()])
            .arg(name);
        assert_mounts(&finish(&mut command));
        assert_answers(&installed, &below);
        let unmounted = finish(installed.command("umount").arg(&below));
        assert_eq!(unmounted.code, Some(0), "{unmounted:?}");
    }
    assert!(gone_all(&installed));
}

#[test]
fn mount_8_mounts_by_type() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let name = directory.to_str().unwrap();
    for kind in [TYPE, "iterfs"] {
        let options = "gid=42,mode=0440,nofail,_netdev,x-gvfs-hide,noatime";
        assert_mounts(&installed.mount(&["-t", kind, "-o", options, "kernel", name]));
        assert_eq!(installed.mounted_on(&directory), [TYPE]);
        assert_eq!(installed.mount_sources(&directory), ["kernel"]);
        assert_answers(&installed, &directory);
        let tasks = fs::metadata(installed.seen(&directory.join("tasks"))).unwrap();
        assert_eq!((tasks.uid(), tasks.gid()), (0, 42));
        assert_eq!(tasks.mode() & 0o7777, 0o440);

        let second = installed.mount(&["-t", kind, "other", name]);
        assert_eq!(second.code, Some(MOUNT_FAILED), "{second:?}");
        assert!(second.complaint.contains("already"), "{second:?}");

        let daemon = installed.daemon();
        assert_eq!(installed.run("umount", &[name]).code, Some(0));
        assert!(gone(daemon));
    }
    assert_mounts(&installed.mount(&["-r", "-t", TYPE, "iterfs", name]));
    assert!(installed.mount_options(&directory)[0].starts_with("ro,"));
}

#[test]
fn mount_8_mounts_what_fstab_says() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let fstab = installed.scratch("fstab");
    let options = "defaults,gid=42,mode=0440,nofail,noexec,nosuid,nodev,user,_netdev,\
                   x-systemd.automount,x-systemd.requires=local-fs.target,comment=mine";
    let line = format!("iterfs {} {TYPE} {options} 0 0\n", directory.display());
    fs::write(&fstab, line).unwrap();
    let all = || installed.mount(&["-a", "-T", fstab.to_str().unwrap()]);
    assert_mounts(&all());
    assert_answers(&installed, &directory);
    assert_eq!(installed.mounted_on(&directory), [TYPE]);
    // The mount stays as it was.
    assert_mounts(&all());
    assert_eq!(installed.mounted_on(&directory), [TYPE]);
}

#[test]
fn mount_8_passes_fake_and_sloppy_on() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let name = directory.to_str().unwrap();
    assert_mounts(&installed.mount(&["-f", "-t", TYPE, "iterfs", name]));
    assert_mounts(&installed.mount(&["-f", "-t", TYPE, "-o", "nonsense", "iterfs", name]));
    assert_eq!(installed.mounted_on(&directory), [""; 0]);

    let sloppy = ["-s", "-t", TYPE, "-o", "nonsense,mode=0400", "iterfs", name];
    assert_mounts(&installed.mount(&sloppy));
    let tasks = fs::metadata(installed.seen(&directory.join("tasks"))).unwrap();
    assert_eq!(tasks.mode() & 0o7777, 0o400);
}

#[test]
fn a_source_adds_no_options() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let name = directory.to_str().unwrap();
    let comma = installed.mount(&["-t", TYPE, "iterfs,mode=0444", name]);
    assert_refused(&installed, &comma, USAGE, "comma");
    assert_mounts(&installed.mount(&["-t", TYPE, "a=b c", name]));
    assert_eq!(installed.mount_sources(&directory), ["a=b\\040c"]);
}

/// In the mount table, whose source field iterfs sets, and in the control file.
#[test]
fn the_report_shows_the_options_in_force() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let ctl = installed.seen(&directory.join("ctl"));
    let find = |column: &str| {
        let found = installed.run(
            "findmnt",
            &["-n", "-o", column, directory.to_str().unwrap()],
        );
        found.output.trim().to_owned()
    };
    assert_mounts(&installed.iterfs_mount(&["-o", "gid=42,mode=0400,others=own"]));
    assert_eq!(find("SOURCE"), "iterfs:gid=42,mode=0400,others=own");
    let all = "rw,uid=0,gid=42,mode=0400,pins=/sys/fs/bpf/iterfs,memory=256M,others=own";
    let report = fs::read_to_string(&ctl).unwrap();
    let line = report.lines().find(|line| line.starts_with("# options: "));
    assert_eq!(line.unwrap(), format!("# options: {all}"));
    let json = fs::read(ctl.with_extension("json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["options"], all);
    assert_eq!(installed.run("umount", &[&directory]).code, Some(0));

    // A source that is given stays as it is, because `mount -a` goes by it.
    let name = directory.to_str().unwrap();
    assert_mounts(&installed.mount(&["-t", TYPE, "-o", "gid=42,ro", "iterfs", name]));
    assert_eq!(find("SOURCE"), "iterfs");
    assert!(find("OPTIONS").starts_with("ro,"));
    let report = fs::read_to_string(&ctl).unwrap();
    assert!(report.contains("\n# options: ro,uid=0,gid=42,"), "{report}");
}

#[test]
fn the_helper_needs_no_environment() {
    let installed = Installed::new();
    let mut command = installed.command("/sbin/mount.fuse.iterfs");
    command
        .arg("iterfs")
        .arg(installed.mountpoint())
        .args(["-n", "-o", "rw"])
        .env_clear();
    assert_mounts(&finish(&mut command));
    assert_answers(&installed, &installed.mountpoint());
}

#[test]
fn the_helper_refuses_what_mount_8_would_not_give() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let name = directory.to_str().unwrap();
    for arguments in [
        &[][..],
        &["iterfs"],
        &["iterfs", name, "more"],
        &["iterfs", name, "-x"],
        &["iterfs", name, "-o"],
    ] {
        let outcome = installed.run("/sbin/mount.fuse.iterfs", arguments);
        assert_refused(&installed, &outcome, USAGE, "mount.fuse.iterfs: ");
    }
}

#[test]
fn another_mount_namespace_is_mounted_in() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    // Make it like a container: with a /proc that does not know us, and no devices.
    let bare = "mount -t tmpfs none /dev; mount -t tmpfs none /proc";
    let ready = installed.run("sh", &["-ec", bare]);
    assert_eq!(ready.code, Some(0), "{ready:?}");

    let mut command = Command::new(programs::mount_helper());
    command
        .arg("iterfs")
        .arg(&directory)
        .arg("-N")
        .arg(installed.namespace());
    assert_mounts(&finish(&mut command));
    assert_answers(&installed, &directory);
    assert_eq!(installed.mounted_on(&directory), [TYPE]);
    assert!(!directory.join("tasks").exists(), "mounted outside");
    let second = finish(&mut command);
    assert_eq!(second.code, Some(MOUNT_FAILED), "{second:?}");
    assert!(second.complaint.contains("already"), "{second:?}");

    // The daemon knows callers by /proc, so it must have stayed in the namespace of ours.
    let daemon = installed.daemon();
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).unwrap();
    assert_eq!(namespace(&daemon.to_string()), namespace("self"));

    kill(daemon, Signal::SIGTERM).unwrap();
    assert!(gone(daemon));
    assert_eq!(installed.mounted_on(&directory), [""; 0]);
}

#[test]
fn a_file_that_is_not_a_mount_namespace_is_refused() {
    let installed = Installed::new();
    for file in ["/no/such/file", "/etc/passwd", "/proc/self/ns/net"] {
        let outcome = installed.iterfs_mount(&["-N", file]);
        assert_refused(&installed, &outcome, MOUNT_FAILED, file);
    }
}
