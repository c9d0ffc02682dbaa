//! Passes over cgroups that take more than one walk: `cgroup.descendants` and
//! `cgroup.ancestors` beside a walk through cgroupfs's directories.

use iterfs_tests::fixtures::cgroups::{Cgroups, Found, ids};
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::{Mount, Row};
use nix::libc;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

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
fn thousands_of_cgroups_come_out_complete() {
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
    // The last cgroup is too deep to have a path; the ancestors of others are too many
    // bytes for one walk.
    cgroups.nest("nested-".repeat(28).as_ref(), 22);

    let mount = Mount::new();
    if !needs_table(&mount, "cgroup/cgroup.self") {
        return;
    }
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

    // The root's descendants include these, in the same order.
    let all = ids(&mount.rows("cgroup/cgroup.descendants"));
    let start = all.iter().position(|id| *id == expected[0]).unwrap();
    assert_eq!(all[start..start + expected.len()], expected);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());

    // Go up from the deepest cgroup, which no path reaches from here.
    let deepest = found.iter().max_by_key(|found| found.depth).unwrap();
    assert_eq!(path(&deepest.path), Value::Null);
    let upwards = found
        .iter()
        .filter(|found| deepest.path.starts_with(&found.path));
    let mut upwards: Vec<_> = upwards.map(|found| found.id).collect();
    upwards.insert(0, found[0].parent);
    upwards.reverse();
    let mut shell = Command::new("sh");
    // A shell that enters directories one by one needs no path.
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
    if !needs_table(&mount, "cgroup/cgroup.self") {
        return;
    }
    let file = format!("cgroup/{}/cgroup.descendants", cgroups.name());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let churn = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) {
                let group = cgroups.path().join(format!("group-{}", rounds * 7 % 30));
                let names = ["x".repeat(200), "y".repeat(250)];
                // A walk may have stopped at any of these nested cgroups.
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
        let ends = Ends(&done);
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
        drop(ends);
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
    if !needs_table(&mount, "cgroup/cgroup.self") {
        return;
    }
    let file = format!("cgroup/{}/cgroup.descendants.jsonl", cgroups.name());
    let mut file = File::open(mount.path(&file)).unwrap();
    let mut text = vec![0];
    // The daemon produces about half a mebibyte ahead, which is not everything.
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

/// The ids in lines of a user program, and the numbers that the kernel gave the objects.
fn padded(text: &str) -> (Vec<u64>, Vec<u64>) {
    let lines = text.lines().map(|line| {
        let mut words = line.split(' ').map(|word| word.parse::<u64>());
        let mut number = || words.next().unwrap().unwrap();
        let of_walk = number();
        (of_walk, number())
    });
    lines.unzip()
}

/// The kernel ends a walk of more than 32 KiB. The error says so, and what to do.
#[test]
fn a_user_program_walks_each_cgroup_by_itself_where_it_is_told_to() {
    let (control, workshop) = (Control::new(), Workshop::new());
    if !needs_table(control.mount(), "cgroup/cgroup.self") {
        return;
    }
    let cgroups = Cgroups::new();
    let make = |outers: Range<u32>| {
        for outer in outers {
            for inner in 0..10 {
                cgroups.make(format!("{outer}/{inner}"));
            }
        }
    };
    make(0..2);
    let object = workshop.compile("cgroups", "cgroups", &[]);
    let below = format!("cgroup=/{}", cgroups.name());
    control.command(&format!("load whole {} {below}", object.display()));
    control.command(&format!(
        "load each {} {below} order=each",
        object.display()
    ));
    let found = || -> Vec<u64> { cgroups.found().iter().map(|found| found.id).collect() };
    // With few cgroups both walks are complete; only the sequence numbers differ.
    let (numbers, ids) = padded(&control.mount().text("user/whole"));
    assert_eq!(ids, found());
    assert_eq!(numbers, (0..ids.len() as u64).collect::<Vec<_>>());
    let (numbers, ids) = padded(&control.mount().text("user/each"));
    assert_eq!(ids, found());
    assert!(numbers.iter().all(|number| *number == 0), "{numbers:?}");

    make(2..60);
    let mut text = Vec::new();
    let mut file = File::open(control.mount().path("user/whole")).unwrap();
    let error = file.read_to_end(&mut text).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
    assert!((30_000..=32_768).contains(&text.len()), "{}", text.len());
    let report = control.report();
    let line = report.lines().find(|line| line.starts_with("# user/whole"));
    assert!(line.unwrap().contains("order=each"), "{report}");

    let (_, ids) = padded(&control.mount().text("user/each"));
    assert_eq!(ids, found());
    assert!(ids.len() > 600);
    // The kernel ends each of the walks.
    let with_end = workshop.compile("cgroups", "with_end", &["END"]);
    control.command(&format!("update user/each {}", with_end.display()));
    let text = control.mount().text("user/each");
    let ends = text.lines().filter(|line| *line == "end").count();
    assert_eq!(ends, ids.len());
    // A pin has no daemon to begin the next walk.
    let told = control.refused("pin user/each", libc::EOPNOTSUPP);
    assert!(told.contains("each cgroup"), "{told}");
}

/// Cgroups that are removed in the middle of a pass are passed over.
#[test]
fn walks_of_each_cgroup_go_on_where_some_are_removed() {
    let (control, workshop) = (Control::new(), Workshop::new());
    if !needs_table(control.mount(), "cgroup/cgroup.self") {
        return;
    }
    let cgroups = Cgroups::new();
    for number in 0..2000 {
        cgroups.make(number.to_string());
    }
    let object = workshop.compile("cgroups", "cgroups", &[]);
    let below = format!("cgroup=/{}", cgroups.name());
    control.command(&format!(
        "load each {} {below} order=each",
        object.display()
    ));
    let mut file = File::open(control.mount().path("user/each")).unwrap();
    let mut begun = [0; 4096];
    file.read_exact(&mut begun).unwrap();
    for number in (0..2000).step_by(2) {
        fs::remove_dir(cgroups.path().join(number.to_string())).unwrap();
    }
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    let text = String::from_utf8(begun.to_vec()).unwrap() + &rest;
    let (_, ids) = padded(&text);
    let shown: HashSet<_> = ids.iter().collect();
    assert_eq!(shown.len(), ids.len(), "none comes twice");
    for found in cgroups.found() {
        assert!(shown.contains(&found.id), "{found:?} stayed");
    }
}
