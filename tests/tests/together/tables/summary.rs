//! The passes of `summary/`: long ones, many at once, ones given up.

use iterfs_tests::fixtures::container::IN_NEW_PID_NAMESPACE;
use iterfs_tests::fixtures::many_files::ManyFiles;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::oracles::columns::{find, select};
use iterfs_tests::wait::wait_until;
use iterfs_tests::{Mount, Row};
use std::fs::File;
use std::io::Read;
use std::sync::Barrier;
use std::thread;

const FDS: &str = "summary/fds_by_process";

/// The rows of some processes.
fn of(rows: Vec<Row>, processes: &ManyFiles) -> Vec<Row> {
    let ours = |row: &Row| processes.pids().iter().any(|&pid| row["pid"] == pid);
    rows.into_iter().filter(ours).collect()
}

#[test]
fn a_million_objects_are_counted_in_one_pass() {
    let mount = Mount::new();
    let processes = ManyFiles::start(56, 18_800);
    // After this many objects without a row, the kernel returns EAGAIN.
    assert!(processes.rows() > 1_000_000);
    for _ in 0..2 {
        let rows = of(mount.rows(FDS), &processes);
        assert_eq!(rows.len(), processes.pids().len());
        for row in &rows {
            assert_eq!(row["fds"], processes.rows_each());
            assert_eq!(row["devices"], processes.rows_each() - 2, "{row:?}");
        }
        let types = mount.rows("summary/fds_by_type");
        let devices = find(&types, &[("type", "CHR".into())])["fds"].as_u64();
        let least = processes.pids().len() * (processes.rows_each() - 2);
        assert!(devices >= Some(least as u64), "{types:?}");
    }
    // None of them has a socket, so nothing is counted.
    let sockets = of(mount.rows("summary/sockets_by_process"), &processes);
    assert!(sockets.is_empty(), "{sockets:?}");
}

#[test]
fn passes_at_once_do_not_mix() {
    const READERS: usize = 16;
    const PASSES: usize = 20;
    let mount = Mount::new();
    let path = mount.path(&format!("{FDS}.jsonl"));
    let types = mount.path("summary/fds_by_type.jsonl");
    let begin = Barrier::new(READERS + 1);
    thread::scope(|scope| {
        for number in 0..READERS {
            let (path, types, begin) = (&path, &types, &begin);
            scope.spawn(move || {
                // Every reader is process 1 of a namespace of its own.
                let kind = ["idle", "tables", "threads"][number % 3];
                let mut reader = Workload::under(&IN_NEW_PID_NAMESPACE, kind);
                let first = reader.rows(path);
                let of_types = reader.rows(types);
                assert_eq!(first.len(), 1, "{first:?}");
                assert_eq!(first[0]["pid"], 1);
                let sum: u64 = of_types
                    .iter()
                    .map(|row| row["fds"].as_u64().unwrap())
                    .sum();
                assert_eq!(first[0]["fds"], sum, "{of_types:?}");
                begin.wait();
                for _ in 0..PASSES {
                    assert_eq!(reader.rows(path), first);
                    assert_eq!(reader.rows(types), of_types);
                }
            });
        }
        // One more reader sees all processes.
        begin.wait();
        for _ in 0..PASSES {
            let rows = mount.rows(FDS);
            let pids: Vec<_> = rows
                .iter()
                .map(|row| row["pid"].as_u64().unwrap())
                .collect();
            assert!(pids.is_sorted() && pids.len() > READERS, "{pids:?}");
        }
    });
}

#[test]
fn a_pass_given_up_leaves_nothing_to_the_next() {
    let mount = Mount::new();
    let processes = ManyFiles::start(20, 10_000);
    let expected = of(mount.rows(FDS), &processes);
    assert!(
        expected
            .iter()
            .all(|row| row["fds"] == processes.rows_each())
    );
    for round in 0..20 {
        let mut file = File::open(mount.path(FDS)).unwrap();
        if round % 2 == 0 {
            file.read_exact(&mut [0]).unwrap();
        }
        drop(file);
        assert_eq!(of(mount.rows(FDS), &processes), expected);
    }
    // Kill readers at any time.
    for _ in 0..10 {
        let mut cat = std::process::Command::new("cat")
            .arg(mount.path(FDS))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        thread::yield_now();
        cat.kill().unwrap();
        cat.wait().unwrap();
        assert_eq!(of(mount.rows(FDS), &processes), expected);
    }
}

#[test]
fn programs_are_kept_for_a_few_passes() {
    const READERS: usize = 50;
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    let processes = ManyFiles::start(20, 10_000);
    let begin = Barrier::new(READERS);
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                let mut file = File::open(mount.path(FDS)).unwrap();
                begin.wait();
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                assert!(text.lines().count() > processes.pids().len());
            });
        }
    });
    wait_until("all passes are over", || daemon.iterators() == 0);
    wait_until("few programs are left", || daemon.ids("prog_id").len() <= 4);
    let held = daemon.ids("prog_id");
    let shown = mount.rows("bpf/progs");
    let ours: Vec<_> = held
        .iter()
        .flat_map(|&id| select(&shown, &[("id", id.into())]))
        .collect();
    assert!(
        !ours.is_empty() && ours.iter().all(|row| row["name"] == "sum_fds"),
        "{ours:?}"
    );
    let expected = of(mount.rows(FDS), &processes);
    assert!(
        expected
            .iter()
            .all(|row| row["fds"] == processes.rows_each())
    );
}

#[test]
fn a_summary_that_is_opened_and_not_read_takes_no_program() {
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    let open: Vec<_> = (0..100)
        .map(|_| File::open(mount.path(FDS)).unwrap())
        .collect();
    assert_eq!(
        daemon.ids("prog_id").len(),
        1,
        "the first, kept for passes to come"
    );
    assert_eq!(daemon.iterators(), 0);
    drop(open);
}
