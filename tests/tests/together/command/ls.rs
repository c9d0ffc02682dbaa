//! `iterfs ls`: the tables, with what a row is.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::programs;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::mount::installed::finish;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::process::Command;

/// The lines of the output: each path, and the meaning of a row.
fn listed(command: &mut Command) -> BTreeMap<String, String> {
    let outcome = finish(command);
    assert_eq!((outcome.code, &*outcome.complaint), (Some(0), ""));
    let lines = outcome.output.lines();
    let split = lines.map(|line| line.split_once("  ").expect("a path and a meaning"));
    split
        .map(|(path, meaning)| (path.to_owned(), meaning.trim().to_owned()))
        .collect()
}

fn ls(path: &OsStr) -> Command {
    let mut command = Command::new(programs::iterfs());
    command.arg("ls").arg(path);
    command
}

#[test]
fn every_table_is_listed_without_a_mount() {
    let user = User::fresh();
    let tables = listed(user.command(programs::iterfs()).arg("ls"));
    for (path, row) in [
        ("tasks", "a thread"),
        ("pid/<n>/files", "an open file in a process"),
        ("netns/<inode>/tcp", "a TCP socket"),
        ("bpf/map/<id>/elements", "an element of the map"),
        (
            "cgroup/<path>/cgroup.self",
            "a cgroup of the unified hierarchy",
        ),
        (
            "summary/tasks_by_state",
            "a thread state, with the number of its threads",
        ),
    ] {
        assert_eq!(tables.get(path).map(String::as_str), Some(row), "{path}");
    }
}

#[test]
fn a_mount_lists_the_tables_that_it_shows() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let rows = workshop.compile("rows", "rows", &[]);
    control.command(&format!("load rows {}", rows.display()));
    let mount = control.mount();
    let tables = listed(&mut ls(mount.directory().as_os_str()));
    assert_eq!(tables["user/rows"], "a row that is always the same");
    assert_eq!(tables["tasks"], "a thread");
    for path in tables.keys().filter(|path| !path.contains('<')) {
        assert!(mount.path(path).is_file(), "{path}");
    }
    let net = listed(&mut ls(mount.path("net").as_os_str()));
    assert_eq!(net["net/tcp"], "a TCP socket");
    assert!(net.keys().all(|path| path.starts_with("net/")), "{net:?}");
    let user = listed(&mut ls(mount.path("user").as_os_str()));
    assert_eq!(user.keys().collect::<Vec<_>>(), ["user/rows"]);
}

#[test]
fn a_user_lists_what_the_mount_lets_them_find() {
    let mount = Mount::with_options("mode=0444");
    let user = User::fresh();
    let mut command = user.command(programs::iterfs());
    let tables = listed(command.arg("ls").arg(mount.directory()));
    assert_eq!(tables["net/udp"], "a UDP socket");
    // Elsewhere, there is nothing to list.
    let outcome = finish(&mut ls("/etc".as_ref()));
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.complaint.contains("not below a mounted iterfs"),
        "{outcome:?}"
    );
    let outcome = finish(&mut ls(mount.path("nothing").as_os_str()));
    assert_eq!(
        (outcome.code, outcome.complaint.lines().count()),
        (Some(1), 1)
    );
}
