//! `vmas` beside /proc/<pid>/maps, of processes that map memory of every sort.

use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::columns::Columns;
use iterfs_tests::oracles::maps::{self, Mapping};
use iterfs_tests::oracles::proc::{self, shown};
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::{Mount, Row};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const PROGRAM: &str = include_str!("programs/mappings.py");

/// A directory on a filesystem that shows its files' paths as they are.
fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("iterfs vmas\n").tempdir();
    directory.expect("a directory")
}

fn python(directory: &Path, pages: usize) -> Workload {
    let mut command = Command::new("python3");
    command
        .args(["-c", PROGRAM])
        .arg(directory)
        .arg(pages.to_string());
    Workload::from_command(command)
}

fn compare(row: &Row, mapping: &Mapping, pid: u32, comm: &str) {
    Columns::of(row)
        .is("pid", pid)
        .is("start", format!("{:#x}", mapping.start))
        .is("end", format!("{:#x}", mapping.end))
        .is("size", mapping.end - mapping.start)
        .is("perms", mapping.perms.as_str())
        .is("offset", mapping.offset)
        .is("dev", mapping.dev.clone())
        .is("inode", mapping.inode)
        .is("comm", comm)
        .is(
            "path",
            Some(shown(&mapping.path)).filter(|path| !path.is_empty()),
        )
        .done();
}

/// Compares both tables with what /proc says; returns the mappings.
fn compare_all(mount: &Mount, pid: u32) -> Vec<Mapping> {
    let stat = proc::Stat::read(&proc::process(pid)).expect("a process");
    let comm = shown(stat.comm());
    for table in [format!("pid/{pid}/vmas"), "vmas".to_owned()] {
        let read = || {
            let mut rows = mount.rows(&table);
            rows.retain(|row| row["pid"] == pid);
            rows
        };
        let (mappings, rows, _) = steadily(|| maps::read(pid), read, PartialEq::eq);
        for (row, mapping) in rows.iter().zip(&mappings) {
            compare(row, mapping, pid, &comm);
        }
        assert_eq!(rows.len(), mappings.len(), "{table}");
    }
    maps::read(pid)
}

fn has(mappings: &[Mapping], path: &[u8]) -> bool {
    mappings.iter().any(|mapping| mapping.path == path)
}

#[test]
fn every_mapping_is_as_proc_has_it() {
    let mount = Mount::new();
    if !needs_table(&mount, "vmas") {
        return;
    }
    let directory = directory();
    let workload = python(directory.path(), 0);
    let mappings = compare_all(&mount, workload.number("pid"));

    let path = |name: &[u8]| [directory.path().as_os_str().as_encoded_bytes(), b"/", name].concat();
    for name in [
        b"shared".as_slice(),
        b"private",
        b"gone (deleted)",
        b"a b\nc\xff \\ d",
    ] {
        assert!(has(&mappings, &path(name)), "{}", shown(name));
    }
    for name in ["[heap]", "[stack]", "[vdso]", "[vvar]"] {
        assert!(has(&mappings, name.as_bytes()), "{name}");
    }
    let names = [
        "/memfd:a name (deleted)",
        "/dev/zero (deleted)",
        "/SYSV00000000 (deleted)",
    ];
    for name in names {
        assert!(has(&mappings, name.as_bytes()), "{name}");
    }
    let named = has(&mappings, b"[anon:given name]");
    assert_eq!(
        workload.fact("named"),
        named,
        "where the kernel names memory, the name is there"
    );
}

#[test]
fn a_mapped_file_of_an_overlay_is_the_overlays() {
    let mount = Mount::new();
    if !needs_table(&mount, "vmas") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // Not every filesystem supports an overlay, but tmpfs does.
    let script = "mount -t tmpfs none \"$PWD\" && cd \"$PWD\" && mkdir lower upper work merged && \
        cp \"$(command -v \"$1\")\" lower/copy && \
        mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work merged && \
        exec \"$PWD/merged/copy\" -c \"$2\" \"$PWD/merged\" 0";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-ec", script, "sh", "/usr/bin/python3", PROGRAM]);
    command.current_dir(&directory);
    let workload = Workload::from_command(command);
    let mappings = compare_all(&mount, workload.number("pid"));
    assert!(
        mappings
            .iter()
            .any(|mapping| mapping.path.ends_with(b"/merged/copy")),
        "{mappings:?}"
    );
    assert!(
        mappings
            .iter()
            .any(|mapping| mapping.path.ends_with(b"/merged/gone (deleted)"))
    );
}

#[test]
fn a_hundred_thousand_mappings_are_all_there() {
    const PROCESSES: usize = 2;
    const PAGES: usize = 50_000;
    let mount = Mount::new();
    if !needs_table(&mount, "vmas") {
        return;
    }
    let directory = directory();
    let workloads: Vec<_> = (0..PROCESSES)
        .map(|_| python(directory.path(), PAGES))
        .collect();
    // The text form has the same fields, and is quicker to parse.
    let text = mount.text("vmas");
    for workload in &workloads {
        let pid = workload.number("pid");
        let prefix = pid.to_string();
        let mut rows = text
            .lines()
            .map(str::split_ascii_whitespace)
            .filter_map(|mut row| (row.next() == Some(&prefix)).then(|| (row.next(), row.next())));
        let mappings = maps::read(pid);
        assert!(mappings.len() >= PAGES);
        for mapping in &mappings {
            let (start, end) = rows.next().expect("as many rows as /proc has lines");
            assert_eq!(start, Some(format!("{:#x}", mapping.start).as_str()));
            assert_eq!(end, Some(format!("{:#x}", mapping.end).as_str()));
        }
        assert_eq!(rows.next(), None);
    }
}

#[test]
fn a_process_that_is_not_there_has_no_table() {
    let mount = Mount::new();
    if !needs_table(&mount, "vmas") {
        return;
    }
    let workload = Workload::start("idle", &[] as &[&OsStr]);
    let pid = workload.pid();
    compare_all(&mount, pid);
    workload.end();
    assert!(!mount.path(&format!("pid/{pid}/vmas")).exists());
}
