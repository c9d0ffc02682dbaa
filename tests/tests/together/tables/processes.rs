//! `processes` against /proc/<pid>.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::workload::{Workload, files::ODD_NAMES, threads};
use iterfs_tests::not_here::{LOOPS, needs_function};
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::oracles::proc::{self, Stat, Status, TICK};
use nix::mount::{MntFlags, MsFlags, mount as mount_filesystem, umount2};
use nix::unistd::{SysconfVar, sysconf};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Compares a process with /proc. The state of a process that burns is not compared.
fn compare(mount: &Mount, pid: u32) {
    let directory = proc::process(pid);
    let before = Stat::read(&directory).expect("a running process");
    let rows = mount.rows("processes");
    let after = Stat::read(&directory).expect("a running process");
    let status = Status::read(&directory);
    let page = sysconf(SysconfVar::PAGE_SIZE)
        .expect("a size")
        .expect("a size") as u64;
    let swap = status.text("VmSwap").trim_end_matches(" kB").parse::<u64>();
    let exe = fs::read_link(directory.join("exe")).expect("a program");

    let mut columns = Columns::of(find(&rows, &[("pid", pid.into())]));
    columns
        .is("pid", pid)
        .is("ppid", status.number("PPid", 0))
        .is("uid", status.number("Uid", 1))
        .is("gid", status.number("Gid", 1))
        .is("ruid", status.number("Uid", 0))
        .is("state", after.state())
        .is("threads", after.number(20))
        .is("slots", status.number("FDSize", 0))
        .is("prio", after.number(18))
        .is("nice", after.number(19))
        .is("policy", after.policy())
        .is("vsize", after.number(23))
        .is("swap", swap.expect("kB") * 1024)
        .is("cgroup", proc::cgroup(&directory))
        .is("comm", proc::shown(after.comm()))
        .is("exe", proc::shown(exe.as_os_str().as_bytes()));
    for (column, kind) in proc::NAMESPACES {
        columns.is(column, proc::namespace(&directory, kind));
    }
    let rss = [
        before.number(24) as u64 * page,
        after.number(24) as u64 * page,
    ];
    columns.between("rss", rss[0].min(rss[1]), rss[0].max(rss[1]));
    let start = after.number(22) as u64 * TICK;
    columns.between("start", start, start + TICK - 1);
    for (column, field) in [("utime", 14), ("stime", 15)] {
        let low = (before.number(field) as u64 * TICK).saturating_sub(TICK);
        columns.between(column, low, (after.number(field) as u64 + 2) * TICK);
    }
    columns.done();
}

#[test]
fn the_totals_of_a_process_are_those_of_its_threads() {
    let mount = Mount::new();
    let workload = Workload::start("threads", &[]);
    compare(&mount, workload.pid());
    let rows = mount.rows("processes");
    let row = find(&rows, &[("pid", workload.pid().into())]);
    assert_eq!(row["threads"], workload.facts().len());

    // The threads that ended are in the sum, and in no thread's row.
    let sum =
        |row: &iterfs_tests::Row| row["utime"].as_u64().unwrap() + row["stime"].as_u64().unwrap();
    let threads = mount.rows(&format!("pid/{}/tasks", workload.pid()));
    let others = threads.iter().filter(|row| row["comm"] != "burner");
    let alive: u64 = others.map(sum).sum();
    let burner = find(&threads, &[("comm", "burner".into())]);
    // The processes' row was read before the threads'.
    let total = mount.rows("processes");
    let total = sum(find(&total, &[("pid", workload.pid().into())]));
    let ended = total - alive - sum(burner);
    // Even on a busy processor, a thread gets part of the time.
    let least = threads::BURNT.as_nanos() as u64 * u64::from(threads::ENDED) / 10;
    assert!(ended >= least, "{ended} is below {least}");
}

#[test]
fn a_process_at_rest_equals_proc_exactly() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    compare(&mount, workload.pid());
    let rows = mount.rows("processes");
    let row = find(&rows, &[("pid", workload.pid().into())]);
    let time = row["utime"].as_u64().unwrap() + row["stime"].as_u64().unwrap();
    assert_eq!(time, proc::runtime(&proc::process(workload.pid())));
    assert!(row["rss"].as_u64().unwrap() > 0);
}

#[test]
fn a_kernel_thread_has_no_memory_and_no_program() {
    let mount = Mount::new();
    let rows = mount.rows("processes");
    let row = find(&rows, &[("pid", 2.into())]);
    assert_eq!(row["comm"], "kthreadd");
    for column in ["rss", "swap", "vsize"] {
        assert!(row[column].is_null(), "{column} is {}", row[column]);
    }
    assert!(row["exe"].as_str().is_none_or(str::is_empty));
}

#[test]
fn a_deleted_program_is_shown_as_proc_shows_it() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("program");
    let workload = Workload::copied_to(&path);
    compare(&mount, workload.pid());
    fs::remove_file(&path).unwrap();
    compare(&mount, workload.pid());
    let rows = mount.rows("processes");
    let row = find(&rows, &[("pid", workload.pid().into())]);
    assert_eq!(row["exe"], format!("{} (deleted)", path.display()));
}

#[test]
fn programs_with_odd_and_long_paths_are_shown_by_them() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let mut paths: Vec<PathBuf> = ODD_NAMES
        .iter()
        .map(|name| directory.path().join(OsStr::from_bytes(name)))
        .collect();
    let mut deep = PathBuf::from(directory.path());
    for _ in 0..15 {
        deep.push("d".repeat(250));
    }
    let mut many = PathBuf::from(directory.path());
    for _ in 0..80 {
        many.push("m");
    }
    let is_walked = needs_function(LOOPS, "a program in a deep directory shows no exe");
    let directories = [Some(deep), is_walked.then_some(many)];
    for directory in directories.into_iter().flatten() {
        fs::create_dir_all(&directory).unwrap();
        paths.push(directory.join("program"));
    }
    for path in paths {
        let workload = Workload::copied_to(&path);
        compare(&mount, workload.pid());
    }
}

/// A tmpfs on a directory below another, unmounted when dropped.
struct Tmpfs(TempDir);

impl Tmpfs {
    fn new() -> Tmpfs {
        let directory = tempfile::tempdir().expect("a directory");
        let kind = Some("tmpfs");
        mount_filesystem(kind, directory.path(), kind, MsFlags::empty(), None::<&str>)
            .expect("a tmpfs");
        Tmpfs(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Bind mounts need a second unmount.
        while umount2(self.path(), MntFlags::MNT_DETACH).is_ok() {}
    }
}

#[test]
fn programs_on_other_mounts_are_shown_by_their_paths() {
    let mount = Mount::new();
    let outer = Tmpfs::new();
    fs::create_dir_all(outer.path().join("from/inner")).unwrap();
    let on_tmpfs = Workload::copied_to(&outer.path().join("program"));
    compare(&mount, on_tmpfs.pid());

    let bound = outer.path().join("bound");
    fs::create_dir(&bound).unwrap();
    let from = outer.path().join("from");
    mount_filesystem(
        Some(&from),
        &bound,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .unwrap();
    let on_bind = Workload::copied_to(&bound.join("inner/program"));
    compare(&mount, on_bind.pid());

    let rows = mount.rows("processes");
    let row = find(&rows, &[("pid", on_bind.pid().into())]);
    assert_eq!(row["exe"], bound.join("inner/program").to_str().unwrap());
    umount2(&bound, MntFlags::MNT_DETACH).unwrap();
}
