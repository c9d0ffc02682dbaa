//! A reader in other namespaces sees what belongs to them, numbered as there.

use iterfs_tests::errno::refused;
use iterfs_tests::fixtures::container::IN_NEW_PID_NAMESPACE;
use iterfs_tests::fixtures::netns::in_new_net_namespace;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::columns::{find, select};
use iterfs_tests::oracles::rows::numbers;
use iterfs_tests::{Mount, Row, fixtures::programs, oracles::proc};
use nix::libc;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The numbers among some names.
fn column(rows: &[Row], name: &str) -> BTreeSet<u64> {
    rows.iter().filter_map(|row| row[name].as_u64()).collect()
}

/// Compares the tables with the /proc of the reader's namespace.
fn compare(mount: &Mount, reader: &mut Workload) {
    let own = numbers(&reader.list(Path::new("/proc")));
    let tasks = reader.rows(&mount.path("tasks.jsonl"));
    let processes = reader.rows(&mount.path("processes.jsonl"));
    let files = reader.rows(&mount.path("files.jsonl"));
    let listed = numbers(&reader.list(&mount.path("pid")));
    assert_eq!(column(&tasks, "pid"), own);
    assert_eq!(column(&processes, "pid"), own);
    assert_eq!(column(&files, "pid"), own);
    assert_eq!(listed, own);

    for process in &processes {
        let pid = process["pid"].as_u64().expect("a pid");
        let status = reader.read(Path::new(&format!("/proc/{pid}/status")));
        let field = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.expect("a field of status").trim().to_owned()
        };
        assert_eq!(process["ppid"].to_string(), field("PPid:"));
        assert_eq!(process["comm"], field("Name:"));
        let tids = numbers(&reader.list(Path::new(&format!("/proc/{pid}/task"))));
        let of_process = |rows: &[Row]| {
            let rows: Vec<Row> = select(rows, &[("pid", pid.into())])
                .into_iter()
                .cloned()
                .collect();
            rows
        };
        assert_eq!(column(&of_process(&tasks), "tid"), tids);

        // The process's own directory is the same, numbered there.
        let alone = reader.rows(&mount.path(&format!("pid/{pid}/tasks.jsonl")));
        assert_eq!(column(&alone, "tid"), tids);
        assert_eq!(column(&alone, "pid"), BTreeSet::from([pid]));
        let open = reader.rows(&mount.path(&format!("pid/{pid}/files.jsonl")));
        let paths = |rows: &[Row]| -> Vec<_> {
            let rows = rows.iter().filter(|row| row["dev"] != device(mount));
            rows.map(|row| (row["fd"].clone(), row["path"].clone()))
                .collect()
        };
        assert_eq!(paths(&open), paths(&of_process(&files)));
    }
}

/// The device of the mount itself, on which the reader has a file open as it reads.
fn device(mount: &Mount) -> String {
    let stat = nix::sys::stat::stat(mount.directory()).expect("the mount");
    proc::device(stat.st_dev)
}

#[test]
fn a_reader_in_a_pid_namespace_sees_its_processes_by_their_numbers_there() {
    let mount = Mount::new();
    if !needs_table(&mount, "cgroup/cgroup.self") {
        return;
    }
    let mut reader = Workload::under(&IN_NEW_PID_NAMESPACE, "threads");
    assert_eq!(reader.number("pid"), 1);
    compare(&mount, &mut reader);

    let processes = reader.rows(&mount.path("processes.jsonl"));
    assert_eq!(find(&processes, &[("pid", 1.into())])["ppid"], 0);
    let outside = reader.pid();
    for path in [
        format!("pid/{outside}"),
        format!("pid/{outside}/tasks"),
        "bpf".into(),
        "bpf/maps".into(),
        "cgroup".into(),
        "cgroup/cgroup.self".into(),
        "netns".into(),
        "ctl".into(),
    ] {
        let path = mount.path(&path);
        for request in ["list", "open"] {
            let answer = reader.ask(request, &path);
            assert_eq!(
                refused(&answer),
                Some(libc::ENOENT),
                "{}: {answer}",
                path.display()
            );
        }
    }
    let names = reader.list(mount.directory());
    assert!(!names.contains(&"bpf".to_owned()), "{names:?}");
    assert!(
        mount.path("bpf/maps").is_file(),
        "the host's own readers have it"
    );

    // From outside, all of it is seen, by the outside's numbers.
    let children = format!("/proc/{outside}/task/{outside}/children");
    let inner: u32 = std::fs::read_to_string(children)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let rows = mount.rows(&format!("pid/{inner}/tasks"));
    assert_eq!(rows.len(), reader.facts().len());
    let namespace = proc::namespace(&proc::process(inner), "pid");
    assert_eq!(rows[0]["pidns"].as_u64(), namespace);
    assert_eq!(rows[0]["ppid"], outside);
}

#[test]
fn readers_in_nested_pid_namespaces_see_each_their_own_numbers() {
    let mount = Mount::new();
    // The outer namespace holds the second unshare, and the inner reader's process.
    let nested: Vec<&str> = IN_NEW_PID_NAMESPACE
        .into_iter()
        .chain(IN_NEW_PID_NAMESPACE)
        .collect();
    let mut inner = Workload::under(&nested, "threads");
    assert_eq!(inner.number("pid"), 1);
    compare(&mount, &mut inner);

    let children = |pid: u32| -> u32 {
        let path = format!("/proc/{pid}/task/{pid}/children");
        std::fs::read_to_string(path)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    };
    let outer = children(inner.pid());
    let target = outer.to_string();
    let mut middle = Workload::under(
        &[
            "nsenter",
            "--target",
            &target,
            "--pid",
            "unshare",
            "--mount-proc",
        ],
        "idle",
    );
    compare(&mount, &mut middle);
    // It sees the second unshare, the process inside that, and itself, whose
    // parent is outside.
    let rows = middle.rows(&mount.path("processes.jsonl"));
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert_eq!(find(&rows, &[("pid", 1.into())])["ppid"], 0);
    let own = [("pid", middle.fact("pid").clone())];
    assert_eq!(find(&rows, &own)["ppid"], 0);
    let innermost = children(outer);
    let status = proc::Status::read(&proc::process(innermost));
    let (there, inside) = (status.number("NSpid", 1), status.number("NSpid", 2));
    assert_eq!(inside, 1);
    let row = find(&rows, &[("pid", there.into())]);
    assert_eq!(row["ppid"], 1);
    assert_eq!(
        row["pidns"].as_u64(),
        proc::namespace(&proc::process(innermost), "pid")
    );
}

/// A process's number in its own pid namespace.
fn inner(status: &proc::Status) -> u64 {
    let words = status.text("NSpid").split_whitespace();
    words
        .last()
        .and_then(|word| word.parse().ok())
        .expect("NSpid")
}

/// Rows process by process: a thread with files of its own is visited after its
/// process, or later, as a walk over the host comes to it.
fn in_order(rows: &[Row]) -> Vec<&Row> {
    let mut order: Vec<&serde_json::Value> = Vec::new();
    for row in rows {
        if !order.contains(&&row["pid"]) {
            order.push(&row["pid"]);
        }
    }
    let of_process = |pid: &&serde_json::Value| select(rows, &[("pid", (*pid).clone())]);
    order.iter().flat_map(of_process).collect()
}

/// A reader in a small namespace is served process by process: the same rows, in the
/// order of the processes, as a walk over the whole host brings.
#[test]
fn rows_and_their_order_are_those_of_a_walk_over_the_host() {
    let mount = Mount::new();
    if !needs_table(&mount, "vmas") {
        return;
    }
    let script = "for _ in 1 2 3 4 5 6; do sleep 600 & done; exec \"$0\" tables";
    let mut command = Command::new(IN_NEW_PID_NAMESPACE[0]);
    let workload = Workload::program();
    command
        .args(&IN_NEW_PID_NAMESPACE[1..])
        .args(["sh", "-c", script])
        .arg(workload);
    let mut reader = Workload::from_command(command);
    let own = device(&mount);
    for table in ["files", "vmas", "net/sockets"] {
        let rows = reader.rows(&mount.path(&format!("{table}.jsonl")));
        let namespace = {
            let pid = reader.pid();
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            let first: u32 = children.unwrap().trim().parse().unwrap();
            proc::namespace(&proc::process(first), "pid")
        };
        let processes = mount.rows("processes");
        let there = processes
            .iter()
            .filter(|process| process["pidns"].as_u64() == namespace);
        let there: BTreeSet<u64> = there.map(|row| row["pid"].as_u64().unwrap()).collect();
        assert_eq!(there.len(), 7);
        let whole = mount.rows(table).into_iter();
        let whole = whole.filter(|row| there.contains(&row["pid"].as_u64().unwrap()));
        let renumbered = whole.map(|mut row| {
            for column in ["tid", "pid"] {
                if let Some(number) = row.get(column).and_then(|number| number.as_u64()) {
                    let status = proc::Status::read(&proc::process(number as u32));
                    row[column] = inner(&status).into();
                }
            }
            row
        });
        let expected: Vec<Row> = renumbered.collect();
        // The reader has the table itself open while it reads.
        let rows: Vec<Row> = rows
            .into_iter()
            .filter(|row| row.get("fd").is_none() || row["dev"] != own.as_str())
            .collect();
        assert!(
            table == "net/sockets" || rows.len() >= 3 * there.len(),
            "{table}: {}",
            rows.len()
        );
        assert!(in_order(&rows) == in_order(&expected), "{table}: {rows:?}");
    }
}

#[test]
fn a_reader_in_a_net_namespace_sees_its_sockets() {
    let mount = Mount::new();
    let host = mount.rows("net/netlink");
    let there = in_new_net_namespace(|| {
        let mut reader = Workload::start("netlink", &[]);
        let rows = reader.rows(&mount.path("net/netlink.jsonl"));
        for name in ["route", "uevent", "generic"] {
            let port = reader.fact(&format!("{name}_port")).clone();
            let link = format!("/proc/self/fd/{}", reader.number(name));
            let link = reader.ask("link", Path::new(&link));
            let matching = select(&rows, &[("portid", port)]);
            let sockets = matching
                .iter()
                .map(|row| format!("socket:[{}]", row["inode"]));
            assert!(
                sockets.into_iter().any(|socket| link["ok"] == socket),
                "{name}"
            );
        }
        rows
    });
    let inodes = |rows: &[Row]| column(rows, "inode");
    assert!(inodes(&host).is_disjoint(&inodes(&there)));
}

#[test]
fn a_daemon_in_another_pid_namespace_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(programs::iterfs())
        .arg("mount")
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(32), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("initial pid namespace"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
