//! `pid/` holds the processes that the tables have.

use iterfs_tests::errno::errno;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::{Mount, oracles::proc};
use nix::libc;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;

fn listed(mount: &Mount) -> BTreeSet<u32> {
    let entries = fs::read_dir(mount.path("pid")).expect("pid/").map(|entry| {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("a number");
        let pid: u32 = name.parse().expect("a number");
        assert_eq!(pid.to_string(), name, "the name is canonical");
        pid
    });
    entries.collect()
}

fn in_table(mount: &Mount) -> BTreeSet<u32> {
    let rows = mount.rows("processes");
    let pids = rows
        .iter()
        .map(|row| row["pid"].as_u64().expect("a pid") as u32);
    pids.collect()
}

#[test]
fn pid_lists_the_processes_of_the_table() {
    let mount = Mount::new();
    let workload = Workload::start("threads", &[]);
    let before = in_table(&mount);
    let listed = listed(&mount);
    let after = in_table(&mount);
    assert!(listed.contains(&workload.pid()));
    // Processes come and go; those that stay are in both.
    let stayed: BTreeSet<u32> = before.intersection(&after).copied().collect();
    assert!(
        listed.is_superset(&stayed),
        "{:?}",
        stayed.difference(&listed)
    );
    let came: BTreeSet<u32> = before.union(&after).copied().collect();
    for pid in listed.difference(&came) {
        assert!(!proc::process(*pid).exists(), "{pid} is in no table");
    }
    // A thread is not a process.
    let sleeper = workload.number("sleeper");
    assert!(!listed.contains(&sleeper));
    assert_eq!(
        errno(fs::metadata(mount.path(&format!("pid/{sleeper}")))),
        Some(libc::ENOENT)
    );
}

#[test]
fn only_canonical_names_are_found() {
    let mount = Mount::new();
    let workload = Workload::start("idle", &[]);
    let pid = workload.pid();
    assert!(mount.path(&format!("pid/{pid}")).is_dir());
    for name in [
        format!("0{pid}"),
        format!("+{pid}"),
        format!("{pid}.0"),
        format!("{pid} "),
        format!("{}", u64::from(pid) + (1 << 32)),
        "0".to_owned(),
        "-1".to_owned(),
        "self".to_owned(),
        u32::MAX.to_string(),
    ] {
        let found = fs::metadata(mount.path(&format!("pid/{name}")));
        assert_eq!(errno(found), Some(libc::ENOENT), "{name:?}");
    }
}

#[test]
fn a_process_that_ended_is_gone() {
    let mount = Mount::new();
    let workload = Workload::start("idle", &[]);
    let path = mount.path(&format!("pid/{}", workload.pid()));
    let directory = File::open(&path).unwrap();
    let table = path.join("tasks");
    assert!(table.is_file());
    let mut open = File::open(&table).unwrap();
    workload.end();

    assert_eq!(errno(fs::metadata(&path)), Some(libc::ENOENT));
    assert_eq!(errno(fs::metadata(&table)), Some(libc::ENOENT));
    assert_eq!(errno(File::open(&table)), Some(libc::ENOENT));
    assert_eq!(errno(fs::read_dir(&path)), Some(libc::ENOENT));
    // An open file can still be read to its end, with the task's row or without.
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert!(text.lines().count() <= 2, "{text}");
    // An open directory looks its names up again.
    let opened = rustix::fs::openat(
        &directory,
        "tasks",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    );
    assert_eq!(opened.err(), Some(rustix::io::Errno::NOENT));
}

#[test]
fn a_process_directory_holds_that_process_alone() {
    let mount = Mount::new();
    let workload = Workload::start("threads", &[]);
    let other = Workload::start("idle", &[]);
    for workload in [&workload, &other] {
        let pid = workload.pid();
        let tasks = mount.rows(&format!("pid/{pid}/tasks"));
        assert!(tasks.iter().all(|row| row["pid"] == pid));
        let tids: BTreeSet<u32> = tasks
            .iter()
            .map(|row| row["tid"].as_u64().unwrap() as u32)
            .collect();
        let expected = proc::numbers(&proc::process(pid).join("task"));
        assert_eq!(tids, expected.into_iter().collect());

        let files = mount.rows(&format!("pid/{pid}/files"));
        assert!(files.iter().all(|row| row["pid"] == pid));
        let fds: Vec<u32> = files
            .iter()
            .map(|row| row["fd"].as_u64().unwrap() as u32)
            .collect();
        assert_eq!(fds, proc::numbers(&proc::process(pid).join("fd")));
    }
}

#[test]
fn inode_numbers_are_stable() {
    let (mount, again) = (Mount::new(), Mount::new());
    let workload = Workload::start("idle", &[]);
    let paths = [
        "pid".to_owned(),
        format!("pid/{}", workload.pid()),
        format!("pid/{}/tasks", workload.pid()),
        format!("pid/{}/files.csv", workload.pid()),
    ];
    let inode = |mount: &Mount, path: &str| fs::metadata(mount.path(path)).unwrap().ino();
    let mut seen = BTreeSet::new();
    for path in &paths {
        let number = inode(&mount, path);
        assert_eq!(number, inode(&mount, path), "{path} a second time");
        assert_eq!(number, inode(&again, path), "{path} on another mount");
        assert!(seen.insert(number), "{path} shares its number");
    }
    // A listing has the same inode numbers as a lookup.
    let entries = fs::read_dir(mount.path(&paths[1])).unwrap();
    let names: Vec<_> = entries.map(|entry| entry.unwrap()).collect();
    assert!(!names.is_empty());
    for entry in names {
        use std::os::unix::fs::DirEntryExt;
        assert_eq!(entry.ino(), entry.metadata().unwrap().ino());
    }
}
