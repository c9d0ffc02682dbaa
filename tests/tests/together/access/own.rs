//! `others=own`: all users read what is about their own processes, and nothing else.

use iterfs_mapping::Format;
use iterfs_tests::errno::{errno, refused};
use iterfs_tests::fixtures::open_programs::Programs;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::{needs_table, needs_tables};
use iterfs_tests::oracles::rows::{numbers, of_process, pids};
use iterfs_tests::{Mount, Row};
use nix::libc;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::thread;

/// The tables that are about processes.
const TABLES: [&str; 5] = ["tasks", "processes", "files", "vmas", "net/sockets"];

fn mount() -> Mount {
    Mount::with_options("others=own")
}

#[test]
fn tables_show_a_users_own_processes() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let (me, other) = (User::fresh(), User::fresh());
    let mut reader = programs.start(&me, "idle");
    let mine = programs.start(&me, "netlink");
    let theirs = programs.start(&other, "netlink");
    for table in TABLES {
        let all = mount.rows(table);
        assert!(pids(&all).contains(&theirs.pid()), "{table}: root sees all");
        let rows = reader.rows(&mount.path(&format!("{table}.jsonl")));
        let expected = match table {
            "net/sockets" => BTreeSet::from([mine.pid()]),
            _ => BTreeSet::from([mine.pid(), reader.pid()]),
        };
        assert_eq!(pids(&rows), expected, "{table}");
        // Of these processes, the user sees every row that root sees.
        let (shown, whole) = (of_process(&rows, mine.pid()), of_process(&all, mine.pid()));
        assert!(!shown.is_empty(), "{table}");
        assert_eq!(shown, whole, "{table}");
        for suffix in Format::ALL.map(Format::suffix) {
            let text = reader.read(&mount.path(&format!("{table}{suffix}")));
            let theirs = theirs.pid().to_string();
            let mut words = text.split(|c: char| !c.is_ascii_digit());
            assert!(!words.any(|word| word == theirs), "{table}{suffix}");
        }
    }
}

#[test]
fn the_directories_of_others_are_not_there() {
    let (mount, programs) = (mount(), Programs::new());
    let (me, other) = (User::fresh(), User::fresh());
    let mut reader = programs.start(&me, "idle");
    let theirs = programs.start(&other, "idle");
    let missing = |answer: Value, path: &Path| {
        let errno = refused(&answer);
        assert_eq!(errno, Some(libc::ENOENT), "{}: {answer}", path.display());
    };
    for _ in 0..3 {
        for (pid, table) in [(theirs.pid(), "files"), (std::process::id(), "tasks")] {
            // Root looks it up first, and the kernel's caches must not help the user.
            let directory = mount.path(&format!("pid/{pid}"));
            let file = directory.join(table);
            assert!(!fs::read(&file).unwrap().is_empty());
            assert!(directory.is_dir());
            missing(reader.ask("list", &directory), &directory);
            missing(reader.ask("open", &file), &file);
            missing(reader.ask("open", &directory), &directory);
        }
    }
    let listed = numbers(&reader.list(&mount.path("pid")));
    assert_eq!(listed, BTreeSet::from([reader.pid()]));
    let own = format!("pid/{}/tasks.jsonl", reader.pid());
    assert_eq!(pids(&reader.rows(&mount.path(&own))), listed);
}

#[test]
fn tables_that_are_not_about_processes_stay_closed() {
    let (mount, me) = (mount(), User::fresh());
    if !needs_tables(&mount, &["net/unix", "cgroup/cgroup.self", "kernel/ksyms"]) {
        return;
    }
    let slab = fs::read_dir(mount.path("kernel"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let files = [
        "net/tcp",
        "net/udp.json",
        "net/unix",
        "net/netlink",
        "net/ipv6_route",
        "bpf/maps",
        "bpf/progs",
        "cgroup/cgroup.self",
        "kernel/ksyms",
        "ctl",
        "ctl.json",
    ];
    let files = files
        .map(|file| mount.path(file))
        .into_iter()
        .chain([slab.path()]);
    for file in files {
        let of_root = errno(File::open(&file));
        assert_eq!(of_root, None, "{}", file.display());
        let denied = me.run(|| errno(File::open(&file)));
        assert_eq!(denied, Some(libc::EACCES), "{}", file.display());
    }
    for directory in ["bpf", "cgroup", "kernel", "netns"] {
        let path = mount.path(directory);
        fs::read_dir(&path).unwrap();
        let denied = me.run(|| errno(fs::read_dir(&path)));
        assert_eq!(denied, Some(libc::EACCES), "{directory}");
    }
}

#[test]
fn without_a_rule_users_open_nothing() {
    let (mount, me) = (Mount::new(), User::fresh());
    for path in ["tasks", "pid", "net/sockets"] {
        let denied = me.run(|| errno(File::open(mount.path(path))));
        assert_eq!(denied, Some(libc::EACCES), "{path}");
    }
}

#[test]
fn readers_at_once_never_see_each_others_rows() {
    const USERS: usize = 6;
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let users: Vec<_> = (0..USERS).map(|_| User::fresh()).collect();
    let started = users.iter().map(|user| programs.start(user, "netlink"));
    let processes: Vec<_> = started.collect();
    thread::scope(|scope| {
        for (user, process) in users.iter().zip(&processes) {
            scope.spawn(|| {
                user.run(|| {
                    for turn in 0..60 {
                        let table = TABLES[turn % TABLES.len()];
                        let path = mount.path(&format!("{table}.jsonl"));
                        let text = fs::read_to_string(path).unwrap();
                        let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
                        let rows: Vec<Row> = rows.collect();
                        // The thread that reads is the user's, too.
                        let test = std::process::id();
                        let mut pids = pids(&rows);
                        assert_eq!(pids.remove(&test), table == "tasks");
                        assert_eq!(pids, BTreeSet::from([process.pid()]), "{table}");
                    }
                });
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                let rows = mount.rows("processes");
                assert!(
                    processes
                        .iter()
                        .all(|process| pids(&rows).contains(&process.pid()))
                );
            }
        });
    });
}

#[test]
fn namespaces_and_users_are_filtered_together() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let (me, other) = (User::fresh(), User::fresh());
    let outside = programs.start(&me, "idle");
    // Two users share a container; the program judges by their ids inside.
    let plain = programs.plain();
    let script = "setpriv --reuid \"$2\" --regid \"$2\" --clear-groups \"$0\" idle </dev/null >/dev/null & exec setpriv --reuid \"$1\" --regid \"$1\" --clear-groups \"$0\" idle";
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .args(["sh", "-c", script])
        .arg(&plain)
        .args([me.uid.to_string(), other.uid.to_string()]);
    let mut inside = Workload::from_command(command);
    assert_eq!(inside.number("pid"), 1);
    for table in ["tasks", "processes", "files", "vmas"] {
        let rows = inside.rows(&mount.path(&format!("{table}.jsonl")));
        assert_eq!(pids(&rows), BTreeSet::from([1]), "{table}");
    }
    assert_eq!(
        numbers(&inside.list(&mount.path("pid"))),
        BTreeSet::from([1])
    );
    let rows = me.run(|| fs::read_to_string(mount.path("processes.jsonl")).unwrap());
    // From outside the same user sees both of its own.
    assert!(
        rows.contains(&format!("\"pid\":{},", outside.pid())),
        "{rows}"
    );
    assert_eq!(rows.lines().count(), 2, "{rows}");
}
