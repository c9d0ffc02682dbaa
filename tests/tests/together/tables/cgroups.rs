//! `cgroup/` beside cgroupfs.

use iterfs_tests::fixtures::cgroups::{Cgroups, Found, ids, lines, value, wait_for};
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::columns::{Columns, select};
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::{Mount, Row};
use nix::libc::ENOENT;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

/// The values of a cgroup in cgroupfs, without those that rise.
#[derive(Debug, PartialEq)]
struct Known {
    populated: u64,
    frozen: u64,
    freeze: Vec<String>,
    kind: Vec<String>,
    descendants: u64,
    dying: u64,
    threads: Vec<String>,
    memory_max: Vec<String>,
}

impl Known {
    fn of(directory: &Path) -> (Known, u64, Option<u64>) {
        let known = Known {
            populated: value(directory, "cgroup.events", "populated"),
            frozen: value(directory, "cgroup.events", "frozen"),
            freeze: lines(directory, "cgroup.freeze"),
            kind: lines(directory, "cgroup.type"),
            descendants: value(directory, "cgroup.stat", "nr_descendants"),
            dying: value(directory, "cgroup.stat", "nr_dying_descendants"),
            threads: lines(directory, "cgroup.threads"),
            memory_max: lines(directory, "memory.max"),
        };
        let memory = lines(directory, "memory.current");
        (
            known,
            value(directory, "cpu.stat", "usage_usec"),
            memory.first().map(|bytes| bytes.parse().unwrap()),
        )
    }
}

/// Compares the row of a cgroup with its files, column by column.
fn compare(mount: &Mount, found: &Found, directory: &Path) {
    let below = std::str::from_utf8(&found.path).unwrap();
    let (before, rows, after) = steadily(
        || Known::of(directory),
        || mount.rows(&format!("cgroup{below}/cgroup.self")),
        |before, after| before.0 == after.0,
    );
    assert_eq!(rows.len(), 1, "{rows:?}");
    let known = &before.0;
    let mut columns = Columns::of(&rows[0]);
    columns
        .is("id", found.id)
        .is("parent", found.parent)
        .is("depth", found.depth)
        .is("populated", known.populated == 1)
        .is("threaded", known.kind == ["threaded"])
        .is("freeze", known.freeze == ["1"])
        .is("frozen", known.frozen == 1)
        .is("descendants", known.descendants)
        .is("dying", known.dying)
        .is("tasks", known.threads.len())
        .between("cpu_time", before.1 * 1000, after.1 * 1000 + 999)
        .is("path", below);
    match (before.2, after.2) {
        (Some(before), Some(after)) => {
            columns.between("memory", before.min(after), before.max(after))
        }
        _ => columns.is("memory", Value::Null),
    };
    let max = known
        .memory_max
        .first()
        .and_then(|max| max.parse::<u64>().ok());
    columns.is("memory_max", max).done();
}

/// Compares all rows.
fn compare_all(mount: &Mount, cgroups: &Cgroups) {
    for found in cgroups.found() {
        let below = OsStr::from_bytes(&found.path[1..]);
        let root = cgroups.path().parent().unwrap();
        compare(mount, &found, &root.join(below));
    }
}

/// A workload that is started inside a cgroup.
fn inside(directory: &Path, kind: &str, arguments: &[&OsStr]) -> Workload {
    let mut command = Command::new("sh");
    command
        .args(["-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$@\""])
        .arg(directory)
        .arg(Workload::program())
        .arg(kind)
        .args(arguments);
    Workload::from_command(command)
}

#[test]
fn values_are_those_of_cgroupfs() {
    let mount = Mount::new();
    if !needs_table(&mount, "cgroup/cgroup.self") {
        return;
    }
    let cgroups = Cgroups::new();
    let busy = cgroups.make("busy");
    let threaded = cgroups.make("busy/threaded");
    cgroups.make("empty/a b");
    let workload = inside(&busy, "threads", &[]);
    fs::write(threaded.join("cgroup.type"), "threaded").unwrap();
    let moved = workload.number("sleeper").to_string();
    fs::write(threaded.join("cgroup.threads"), moved).unwrap();

    // A socket holds on to the cgroup it was made in.
    let left = cgroups.make("left");
    let scratch = tempfile::tempdir().unwrap();
    let holder = inside(&left, "files", &[scratch.path().as_os_str()]);
    let procs = cgroups.make("holder").join("cgroup.procs");
    fs::write(procs, holder.pid().to_string()).unwrap();
    fs::remove_dir(&left).unwrap();
    wait_for(cgroups.path(), "cgroup.stat", "nr_dying_descendants", 1);

    compare_all(&mount, &cgroups);
    let rows = mount.rows(&format!("cgroup/{}/cgroup.descendants", cgroups.name()));
    // The one that is dying is not shown.
    let expected: Vec<_> = cgroups.found().iter().map(|found| found.id).collect();
    assert_eq!(ids(&rows), expected);
    for (name, column) in [("busy", "populated"), ("busy/threaded", "threaded")] {
        let path = format!("/{}/{name}", cgroups.name());
        assert_eq!(select(&rows, &[("path", path.into())])[0][column], true);
    }
    assert!(rows[0]["cpu_time"].as_u64() > Some(0), "{:?}", rows[0]);

    // The tasks of a cgroup are those that have its id.
    let tasks = mount.rows("tasks");
    for row in &rows {
        let inside = select(&tasks, &[("cgroup", row["id"].clone())]);
        assert_eq!(row["tasks"], inside.len(), "{row:?}");
    }
    assert!(select(&tasks, &[("cgroup", rows[0]["id"].clone())]).is_empty());

    // The root cgroup has no such file to compare with.
    let root = &mount.rows("cgroup/cgroup.self")[0];
    assert_eq!(root["path"], "/");
    for column in ["parent", "cpu_time", "memory", "memory_max"] {
        assert_eq!(root[column], Value::Null, "{column}");
    }
}

#[test]
fn a_cgroup_is_frozen_when_cgroupfs_says_so() {
    let mount = Mount::new();
    if !needs_table(&mount, "cgroup/cgroup.self") {
        return;
    }
    let cgroups = Cgroups::new();
    let (outer, inner) = (cgroups.make("outer"), cgroups.make("outer/inner"));
    let _workload = inside(&inner, "idle", &[]);
    for (freeze, nested) in [("1", "0"), ("1", "1"), ("0", "1"), ("0", "0")] {
        fs::write(outer.join("cgroup.freeze"), freeze).unwrap();
        fs::write(inner.join("cgroup.freeze"), nested).unwrap();
        let frozen = u64::from(freeze == "1" || nested == "1");
        wait_for(&inner, "cgroup.events", "frozen", frozen);
        compare_all(&mount, &cgroups);
    }
}

#[test]
fn the_directories_are_those_of_cgroupfs() {
    let mount = Mount::new();
    if !needs_table(&mount, "cgroup/cgroup.self") {
        return;
    }
    let cgroups = Cgroups::new();
    cgroups.make("a b/c\\d/tasks");
    cgroups.make(OsStr::from_bytes(b"not \xff UTF-8/pid"));
    cgroups.make("n".repeat(255));
    let directories = |place: &Path| -> BTreeSet<Vec<u8>> {
        let mut find = Command::new("find");
        find.arg(place).args(["-type", "d", "-printf", "%P\\0"]);
        let output = find.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
            .stdout
            .split(|&byte| byte == 0)
            .map(<[u8]>::to_vec)
            .collect()
    };
    let ours = mount.path("cgroup").join(cgroups.name());
    let found = directories(cgroups.path());
    assert_eq!(directories(&ours), found);
    for below in found {
        let below = OsStr::from_bytes(&below);
        let entries = fs::read_dir(ours.join(below)).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        let files: BTreeSet<_> = files
            .map(|file| file.file_name().into_string().unwrap())
            .collect();
        assert_eq!(files.len(), 12, "{files:?}");
        let text = fs::read_to_string(ours.join(below).join("cgroup.self.jsonl")).unwrap();
        let row: Row = serde_json::from_str(&text).unwrap();
        let theirs = nix::sys::stat::stat(&cgroups.path().join(below)).unwrap();
        assert_eq!(row["id"], theirs.st_ino);
    }
    for name in ["none", "cgroup.procs", "tasks", "."] {
        let exists = ours.join(name).join("cgroup.self").exists();
        assert_eq!(exists, name == ".", "{name}");
    }
}

#[test]
fn a_removed_cgroup_is_not_there() {
    let mount = Mount::new();
    if !needs_table(&mount, "cgroup/cgroup.self") {
        return;
    }
    let cgroups = Cgroups::new();
    let gone = cgroups.make("gone");
    let ours = mount.path("cgroup").join(cgroups.name()).join("gone");
    let listed = fs::read_dir(&ours).unwrap().count();
    assert_eq!(listed, 12);
    let mut early = File::open(ours.join("cgroup.descendants.jsonl")).unwrap();
    let directory = File::open(&ours).unwrap();
    fs::remove_dir(&gone).unwrap();

    let below =
        Path::new("/proc/self/fd").join(std::os::fd::AsRawFd::as_raw_fd(&directory).to_string());
    for place in [&ours, &below] {
        for file in ["cgroup.self", "cgroup.descendants.json", "cgroup.ancestors"] {
            let error = File::open(place.join(file)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(ENOENT), "{file}: {error}");
        }
    }
    assert!(!ours.exists());
    let mut text = String::new();
    early.read_to_string(&mut text).unwrap();
    assert_eq!(text, "");
}
