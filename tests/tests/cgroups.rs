//! `cgroup/` beside cgroupfs.

use iterfs_tests::cgroups::{Cgroups, Found, lines, value, wait_for};
use iterfs_tests::columns::{Columns, select};
use iterfs_tests::steady::steadily;
use iterfs_tests::workload::Workload;
use iterfs_tests::{Mount, Row};
use nix::libc::ENOENT;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn ids(rows: &[Row]) -> Vec<u64> {
    let id = |row: &Row| row["id"].as_u64().expect("an id");
    rows.iter().map(id).collect()
}

/// A path as JSON has it: verbatim, or escaped if it is not UTF-8. None if it
/// is longer than any path that a program could name.
fn path(bytes: &[u8]) -> Value {
    if bytes.len() >= 4096 {
        return Value::Null;
    }
    let escaped = |bytes: &[u8]| -> String {
        let octal = |byte: &u8| match byte {
            b' '..=b'~' if *byte != b'\\' => char::from(*byte).to_string(),
            byte => format!("\\{byte:03o}"),
        };
        bytes.iter().map(octal).collect()
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => escaped(bytes).into(),
    }
}

fn same(row: &Row, found: &Found) {
    for (column, expected) in [
        ("id", found.id.into()),
        ("parent", found.parent.into()),
        ("depth", found.depth.into()),
        ("path", path(&found.path)),
    ] {
        assert_eq!(row[column], expected, "{column} of {found:?}");
    }
}

#[test]
fn thousands_come_out_complete() {
    let cgroups = Cgroups::new();
    for outer in 0..40 {
        for inner in 0..45 {
            cgroups.make(format!("group {outer}/session-{inner}"));
        }
    }
    for (number, end) in (0..100).zip((b'!'..=b'~').chain(0x80..).filter(|&end| end != b'/')) {
        let mut name = format!("{number:-<254}").into_bytes();
        name.push(end);
        cgroups.make(OsStr::from_bytes(&name));
    }
    // Its last is too deep to have a path; the ancestors of others are too many
    // bytes for one walk.
    cgroups.nest("nested-".repeat(28).as_ref(), 22);

    let mount = Mount::new();
    let file = format!("cgroup/{}/cgroup.descendants", cgroups.name());
    let found = cgroups.found();
    assert!(found.len() > 1900, "{}", found.len());
    let rows = mount.rows(&file);
    let expected: Vec<_> = found.iter().map(|found| found.id).collect();
    assert_eq!(ids(&rows), expected);
    for (row, found) in rows.iter().zip(&found) {
        same(row, found);
    }
    assert_eq!(mount.text(&file).lines().count(), found.len() + 1);

    // The root's are these among others, one after the other.
    let all = ids(&mount.rows("cgroup/cgroup.descendants"));
    let start = all.iter().position(|id| *id == expected[0]).unwrap();
    assert_eq!(all[start..start + expected.len()], expected);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());

    // Upwards from the deepest: by its path it cannot be reached from here.
    let deepest = found.iter().max_by_key(|found| found.depth).unwrap();
    assert_eq!(path(&deepest.path), Value::Null);
    let upwards = found
        .iter()
        .filter(|found| deepest.path.starts_with(&found.path));
    let mut upwards: Vec<_> = upwards.map(|found| found.id).collect();
    upwards.insert(0, found[0].parent);
    upwards.reverse();
    let mut shell = Command::new("sh");
    // The shell keeps no path of where it is, so that is as long as need be.
    shell.args([
        "-c",
        "for i in $(seq 22); do cd -P nested-*; done; cat cgroup.ancestors.jsonl",
    ]);
    shell.current_dir(mount.path("cgroup").join(cgroups.name()));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.len() > 32 * 1024);
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Row> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(ids(&rows), upwards);
    assert_eq!(rows.last().unwrap()["path"], "/");
}

/// What cgroupfs says of a cgroup, but for what rises.
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

/// Compares them all.
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

    // Of the root there is no such file to compare with.
    let root = &mount.rows("cgroup/cgroup.self")[0];
    assert_eq!(root["path"], "/");
    for column in ["parent", "cpu_time", "memory", "memory_max"] {
        assert_eq!(root[column], Value::Null, "{column}");
    }
}

#[test]
fn frozen_as_cgroupfs_says() {
    let mount = Mount::new();
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
fn one_that_is_removed_is_not_there() {
    let mount = Mount::new();
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

#[test]
fn cgroups_that_come_and_go_harm_no_walk() {
    let cgroups = Cgroups::new();
    for group in 0..30 {
        for member in 0..20 {
            cgroups.make(format!("group-{group}/{}-{member}", "member".repeat(6)));
        }
    }
    let stay: BTreeSet<_> = cgroups.found().iter().map(|found| found.id).collect();
    let mount = Mount::new();
    let file = format!("cgroup/{}/cgroup.descendants", cgroups.name());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let churn = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) {
                let group = cgroups.path().join(format!("group-{}", rounds * 7 % 30));
                let names = ["x".repeat(200), "y".repeat(250)];
                // Where a walk has stopped may be any of these, one in another.
                let [outer, inner] = [group.join(&names[0]), group.join(&names[0]).join(&names[1])];
                let beside = group.join(&names[1]);
                fs::create_dir_all(&inner).unwrap();
                fs::create_dir(&beside).unwrap();
                fs::remove_dir(&inner).unwrap();
                fs::remove_dir(&outer).unwrap();
                fs::remove_dir(&beside).unwrap();
                rounds += 1;
            }
            rounds
        });
        let _ends = Ends(&done);
        for _ in 0..60 {
            let shown = ids(&mount.rows(&file));
            let set: BTreeSet<_> = shown.iter().copied().collect();
            assert_eq!(set.len(), shown.len(), "shown twice");
            assert!(
                set.is_superset(&stay),
                "{:?} are missing",
                stay.difference(&set)
            );
        }
        drop(_ends);
        assert!(churn.join().unwrap() > 0);
    });
}

#[test]
fn a_pass_goes_on_where_all_around_it_is_gone() {
    let cgroups = Cgroups::new();
    let group = |group: u32| format!("group-{group}");
    let member = |group: u32, member: u32| format!("group-{group}/{member:-<200}");
    for outer in 0..100 {
        for inner in 0..30 {
            cgroups.make(member(outer, inner));
        }
    }
    let all: BTreeSet<_> = cgroups.found().iter().map(|found| found.id).collect();
    let mount = Mount::new();
    let file = format!("cgroup/{}/cgroup.descendants.jsonl", cgroups.name());
    let mut file = File::open(mount.path(&file)).unwrap();
    let mut text = vec![0];
    // Half a mebibyte or so is made ahead, which is not all.
    file.read_exact(&mut text).unwrap();
    for outer in (0..100).filter(|outer| outer % 20 != 19) {
        for inner in 0..30 {
            fs::remove_dir(cgroups.path().join(member(outer, inner))).unwrap();
        }
        fs::remove_dir(cgroups.path().join(group(outer))).unwrap();
    }
    file.read_to_end(&mut text).unwrap();
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    let rows: Vec<Row> = lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let shown: BTreeSet<_> = ids(&rows).into_iter().collect();
    let stay: BTreeSet<_> = cgroups.found().iter().map(|found| found.id).collect();
    assert_eq!(shown.len(), rows.len(), "shown twice");
    assert!(shown.is_superset(&stay) && shown.is_subset(&all));
    assert!(shown.len() < all.len(), "it was all made ahead");
}

/// Tells the other thread to end, after a failure too.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
