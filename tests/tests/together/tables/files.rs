//! `files` against /proc/<pid>/fd, fdinfo, stat(2) and lsof.

use iterfs_tests::fixtures::workload::{Workload, files::ODD_NAMES};
use iterfs_tests::not_here::needs_function;
use iterfs_tests::oracles::columns::{Columns, find, select};
use iterfs_tests::oracles::proc::{self, Descriptor, Status};
use iterfs_tests::{Mount, Row};
use nix::libc;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

/// open(2)'s flags by the names the table gives them.
const FLAGS: [(i32, &str); 15] = [
    (libc::O_CREAT, "CREAT"),
    (libc::O_EXCL, "EXCL"),
    (libc::O_NOCTTY, "NOCTTY"),
    (libc::O_TRUNC, "TRUNC"),
    (libc::O_APPEND, "APPEND"),
    (libc::O_NONBLOCK, "NONBLOCK"),
    (libc::O_DSYNC, "DSYNC"),
    (libc::O_ASYNC, "ASYNC"),
    (libc::O_DIRECT, "DIRECT"),
    // libc defines it as 0 on 64-bit machines, where the kernel always sets it.
    (0o100_000, "LARGEFILE"),
    (
        libc::O_DIRECTORY & !libc::O_TMPFILE | 0o200_000,
        "DIRECTORY",
    ),
    (libc::O_NOFOLLOW, "NOFOLLOW"),
    (libc::O_NOATIME, "NOATIME"),
    (libc::O_CLOEXEC, "CLOEXEC"),
    (libc::O_PATH, "PATH"),
];
/// The two bits of this flag beyond the bits of other flags that its value includes.
const SYNC: u64 = 0o4_000_000;
const TMPFILE: u64 = 0o20_000_000;

fn flags(bits: u64) -> Value {
    let mut names: Vec<&str> = FLAGS
        .into_iter()
        .filter_map(|(flag, name)| (bits & flag as u64 != 0).then_some(name))
        .collect();
    // In the order of their bits: SYNC is below PATH.
    let before_path = names.iter().position(|&name| name == "PATH");
    if bits & SYNC != 0 {
        names.insert(before_path.unwrap_or(names.len()), "SYNC");
    }
    if bits & TMPFILE != 0 {
        names.push("TMPFILE");
    }
    json!(names)
}

fn access(flags: u64) -> &'static str {
    match flags as i32 & libc::O_ACCMODE {
        _ if flags as i32 & libc::O_PATH != 0 => "none",
        libc::O_RDONLY => "r",
        libc::O_WRONLY => "w",
        libc::O_RDWR => "rw",
        _ => "none",
    }
}

/// The types of a process's files by descriptor, as lsof has them.
fn lsof(pid: u32) -> HashMap<u32, String> {
    let output = Command::new("lsof")
        .args(["-w", "-n", "-P", "-p", &pid.to_string(), "-F", "ft"])
        .output()
        .expect("lsof runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut fd = None;
    let mut types = HashMap::new();
    for line in text.lines() {
        match line.split_at(1) {
            ("f", number) => fd = number.parse().ok(),
            ("t", name) => types.extend(fd.map(|fd| (fd, name.to_owned()))),
            _ => {}
        }
    }
    types
}

/// Compares all rows of one table of descriptors with /proc's.
fn compare(rows: &[&Row], pid: u32, tid: u32, types: Option<&HashMap<u32, String>>) {
    let directory = proc::thread(pid, tid);
    let status = Status::read(&proc::process(pid));
    let comm = proc::Stat::read(&proc::process(pid)).expect("a running process");
    let mut found: Vec<u32> = rows
        .iter()
        .map(|row| row["fd"].as_u64().expect("a descriptor") as u32)
        .collect();
    found.sort_unstable();
    assert_eq!(found, proc::numbers(&directory.join("fd")), "thread {tid}");

    for row in rows {
        let fd = row["fd"].as_u64().expect("a descriptor") as u32;
        let expected = Descriptor::read(&directory, fd);
        let stat = &expected.stat;
        let special = matches!(stat.st_mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK);
        let rdev = special.then(|| proc::device(stat.st_rdev));
        let mut columns = Columns::of(row);
        columns
            .is("pid", pid)
            .is("tid", tid)
            .is("uid", status.number("Uid", 1))
            .is("fd", fd)
            .is("access", access(expected.flags))
            .is("flags", flags(expected.flags))
            .is("pos", expected.pos)
            .is("dev", proc::device(stat.st_dev))
            .is("rdev", rdev)
            .is("inode", stat.st_ino)
            .is("links", stat.st_nlink)
            .is("size", stat.st_size)
            .is("comm", proc::shown(comm.comm()))
            .is("path", path_column(&expected.link).map(proc::shown));
        match types {
            Some(types) => columns.is("type", types[&fd].as_str()),
            None => columns.is("type", row["type"].clone()),
        };
        columns.done();
    }
}

#[test]
fn every_type_of_file_is_as_proc_and_lsof_have_it() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    let types = lsof(workload.pid());
    let every: Vec<&str> = types.values().map(String::as_str).collect();
    for wanted in [
        "REG", "DIR", "CHR", "BLK", "FIFO", "LINK", "sock", "unix", "IPv4", "IPv6", "netlink",
        "pack", "a_inode",
    ] {
        assert!(every.contains(&wanted), "no {wanted} in the workload");
    }
    for table in ["files".to_owned(), format!("pid/{}/files", workload.pid())] {
        let rows = mount.rows(&table);
        let own = select(&rows, &[("pid", workload.pid().into())]);
        if table != "files" {
            assert_eq!(own.len(), rows.len(), "others in {table}");
        }
        compare(&own, workload.pid(), workload.pid(), Some(&types));
    }
}

/// Whether programs of iterators may call bpf_d_path(), which came with task_vma. Before,
/// files outside of filesystems, and those that lie too deep, have no path.
static WHOLE_PATHS: LazyLock<bool> = LazyLock::new(|| {
    needs_function(
        "bpf_iter_task_vma",
        "files without a place in a filesystem show no path",
    )
});

/// The column's text for a link in /proc/<pid>/fd.
fn path_column(link: &[u8]) -> Option<&[u8]> {
    let placed = link.starts_with(b"/") && !link.starts_with(b"/memfd:");
    (placed || *WHOLE_PATHS).then_some(link)
}

#[test]
fn descriptors_are_shown_as_the_workload_opened_them() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    let rows = mount.rows(&format!("pid/{}/files", workload.pid()));
    let row = |name: &str| find(&rows, &[("fd", workload.fact(name).clone())]);
    let at = |name: &str| json!(directory.path().join(name));

    assert_eq!(row("read")["access"], "r");
    assert_eq!(row("write")["access"], "w");
    assert_eq!(row("both")["access"], "rw");
    assert_eq!(row("neither")["access"], "none");
    assert_eq!(row("path")["access"], "none");
    assert_eq!(row("read")["links"], 2);
    assert_eq!(row("read")["size"], 12_349);
    assert_eq!(row("append")["pos"], 12_349);
    for name in ["position", "duplicate"] {
        assert_eq!(row(name)["pos"], 4_000_000_000u64);
    }
    assert_eq!(row("read")["path"], at("regular"));
    assert_eq!(row("deleted")["path"], at("deleted (deleted)"));
    assert_eq!(row("deleted")["links"], 0);
    if *WHOLE_PATHS {
        assert_eq!(row("memfd")["path"], "/memfd:name with blanks (deleted)");
        assert!(row("deep")["path"].as_str().unwrap().len() > 2000);
    }
    assert_eq!(row("memfd")["size"], 5000);
    for (number, name) in ODD_NAMES.iter().enumerate() {
        let mut path = proc::shown(name);
        path.insert_str(0, &format!("{}/", directory.path().display()));
        assert_eq!(row(&format!("odd {number}"))["path"], json!(path));
    }

    let closed = |name: &str| {
        let flags = row(name)["flags"].as_array().unwrap();
        flags.contains(&json!("CLOEXEC"))
    };
    assert!(closed("closed at exec") && closed("both"));
    assert!(!closed("kept over exec") && !closed("duplicate"));
}

#[test]
fn odd_names_stay_one_field_of_a_text_line() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    let text = mount.text(&format!("pid/{}/files", workload.pid()));
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let column = |name| header.iter().position(|&other| other == name).unwrap();
    let (fd, path) = (column("fd"), column("path"));
    let paths: HashMap<u32, Vec<u8>> = lines
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(fields.len(), header.len(), "{line}");
            (fields[fd].parse().unwrap(), unescaped(fields[path]))
        })
        .collect();
    for number in proc::numbers(Path::new(&format!("/proc/{}/fd", workload.pid()))) {
        let expected = Descriptor::read(&proc::process(workload.pid()), number);
        assert_eq!(paths[&number], path_column(&expected.link).unwrap_or(b"-"));
    }
}

/// The bytes that a field stands for.
fn unescaped(field: &str) -> Vec<u8> {
    let mut bytes = field.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => {
                let digits = bytes.by_ref().take(3);
                digits.fold(0, |number: u8, digit| number << 3 | (digit - b'0'))
            }
            byte => byte,
        });
    }
    plain
}

#[test]
fn a_thread_with_a_table_of_its_own_has_its_own_rows() {
    let mount = Mount::new();
    let workload = Workload::start("tables", &[]);
    let pid = workload.pid();
    let (unshared, shared) = (workload.number("unshared"), workload.number("shared"));
    for table in ["files".to_owned(), format!("pid/{pid}/files")] {
        // The kernel compared the table of the thread before (task_group_seq_get_next()); the
        // release that mended it is the one that brought this function.
        let narrowed = table.starts_with("pid/");
        let why = "before 6.7, a walk of one process confuses its threads' tables of descriptors";
        if narrowed && !needs_function("bpf_iter_task_new", why) {
            continue;
        }
        let rows = mount.rows(&table);
        let of = |tid: u32| select(&rows, &[("pid", pid.into()), ("tid", tid.into())]);
        compare(&of(pid), pid, pid, None);
        compare(&of(unshared), pid, unshared, None);
        assert!(of(shared).is_empty(), "a shared table is listed twice");
        let own = [("pid", pid.into()), ("fd", workload.fact("own").clone())];
        let own = find(&rows, &own);
        assert_eq!(own["tid"], unshared);
        assert_eq!(own["path"], "/dev/full");
    }
}
