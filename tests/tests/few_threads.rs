//! Where hardly any thread can be started.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use iterfs_tests::installed::{Installed, finish, gone};
use iterfs_tests::pids_limit::PidsLimit;
use iterfs_tests::programs;
use nix::sys::signal::{Signal, kill};

/// However few threads there may be: the mount answers, or it is refused with a line and
/// nothing is mounted.
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
