//! Mounts where hardly any thread can be started.

use iterfs_tests::fixtures::mounted::Mounted;
use iterfs_tests::fixtures::pids_limit::PidsLimit;
use iterfs_tests::fixtures::programs;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::mount::installed::{Installed, finish, gone};
use iterfs_tests::mount::mounting::Mounting;
use iterfs_tests::wait::wait_until;
use nix::sys::signal::{Signal, kill};
use std::fs;
use std::thread;

/// With any number of threads, the mount answers, or it fails with one line and leaves
/// nothing mounted.
#[test]
fn a_mount_without_enough_threads_is_refused() {
    let installed = Installed::new();
    let directory = installed.mountpoint();
    let limit = PidsLimit::new();
    let (mut mounted, mut refused) = (0, 0);
    for threads in 2..=16 {
        limit.set(threads);
        let script = r#"echo $$ >"$0" && exec "$1" mount "$2""#;
        let mut command = installed.command("sh");
        command
            .args(["-c", script])
            .args([&limit.procs(), &programs::iterfs(), &directory]);
        let outcome = finish(&mut command);
        if outcome.code == Some(0) {
            mounted += 1;
            assert_eq!(installed.mounted_on(&directory), ["fuse.iterfs"]);
            let daemon = installed.daemon();
            let listed = finish(
                installed
                    .command("timeout")
                    .args(["60", "ls"])
                    .arg(&directory),
            );
            assert_eq!(listed.code, Some(0), "{threads} threads: {listed:?}");
            assert!(
                listed.output.contains("tasks\n"),
                "{threads} threads: {listed:?}"
            );
            kill(daemon, Signal::SIGTERM).unwrap();
            assert!(gone(daemon));
        } else {
            refused += 1;
            assert_eq!(outcome.code, Some(32), "{threads} threads: {outcome:?}");
            let lines = outcome.complaint.lines().count();
            assert_eq!(lines, 1, "{threads} threads: {outcome:?}");
        }
        assert_eq!(
            installed.mounted_on(&directory),
            [""; 0],
            "{threads} threads"
        );
        assert_eq!(installed.daemons(&directory), []);
    }
    assert!(
        mounted > 0 && refused > 0,
        "{mounted} mounted, {refused} refused"
    );
}

/// A daemon that cannot start more threads serves all readers with its existing ones, and
/// logs the failure once, not at each read.
#[test]
fn threads_that_cannot_be_started_are_logged_once() {
    let directory = Mounted::unmounted();
    let daemon = Mounting::new().options("mode=0444").serve(directory.path());
    let limit = PidsLimit::new();
    limit.take(daemon.pid());
    limit.set(limit.current());
    let own = format!("pid/{}/vmas", std::process::id());
    // Produced on the serving thread, ahead of the reader, or always on another thread.
    let tables = ["files", &own, "summary/fds_by_process", "kernel/ksyms"];
    let readers: Vec<_> = (tables.iter().cycle().take(20))
        .map(|table| {
            let path = directory.join(table);
            // An account runs no more jobs at once than there are processors. Many accounts
            // ask for more threads on a single one, too.
            let is_roots = *table == "kernel/ksyms";
            let user = if is_roots {
                User::new(0, 0)
            } else {
                User::fresh()
            };
            thread::spawn(move || {
                user.run(|| {
                    for _ in 0..5 {
                        assert!(fs::read_to_string(&path).unwrap().lines().count() > 1);
                    }
                });
            })
        })
        .collect();
    for reader in &readers {
        wait_until("the readers end", || reader.is_finished());
    }
    for reader in readers {
        reader.join().unwrap();
    }
    daemon.signal(Signal::SIGTERM);
    let (status, log) = daemon.end();
    assert_eq!(status.code(), Some(0), "{log:?}");
    let about = log.iter().filter(|line| line.contains("thread"));
    let count = about.count();
    assert!((1..=10).contains(&count), "{log:?}");
}
