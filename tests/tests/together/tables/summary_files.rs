//! `summary/fds_by_process`, `fds_by_type` and `sockets_by_process` beside
//! /proc/<pid>/fd and the tables of which they are sums.

use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::oracles::columns::{Columns, find, select};
use iterfs_tests::oracles::proc::{self, Descriptor, shown};
use iterfs_tests::{Mount, Row};
use nix::sys::stat::SFlag;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// The open descriptors of a process, with those of a thread with a table of its own.
fn descriptors(pid: u32, apart: Option<u32>) -> Vec<Descriptor> {
    let apart = apart.map(|tid| proc::thread(pid, tid));
    let tables = [proc::process(pid)].into_iter().chain(apart);
    let read = |table: PathBuf| {
        let numbers = proc::numbers(&table.join("fd")).into_iter();
        let found = numbers.map(|fd| Descriptor::read(&table, fd));
        found.collect::<Vec<_>>()
    };
    tables.flat_map(read).collect()
}

/// Whether a descriptor is of this type, as its mode says.
fn is(descriptor: &Descriptor, types: &[SFlag]) -> bool {
    let mode = SFlag::from_bits_truncate(descriptor.stat.st_mode) & SFlag::S_IFMT;
    !anonymous(descriptor) && types.contains(&mode)
}

fn anonymous(descriptor: &Descriptor) -> bool {
    descriptor.link.starts_with(b"anon_inode:") || descriptor.link.starts_with(b"pidfd:")
}

fn compare_fds(mount: &Mount, pid: u32, apart: Option<u32>) {
    let all = descriptors(pid, apart);
    let count = |which: &dyn Fn(&Descriptor) -> bool| all.iter().filter(|one| which(one)).count();
    let of_type = |types: &[SFlag]| count(&|one| is(one, types));
    let stat = proc::Stat::read(&proc::process(pid)).unwrap();
    let status = proc::Status::read(&proc::process(pid));
    let rows = mount.rows("summary/fds_by_process");
    Columns::of(find(&rows, &[("pid", pid.into())]))
        .is("pid", pid)
        .is("uid", status.number("Uid", 1))
        .is("comm", shown(stat.comm()))
        .is("fds", all.len())
        .is("regular", of_type(&[SFlag::S_IFREG]))
        .is("directories", of_type(&[SFlag::S_IFDIR]))
        .is("sockets", of_type(&[SFlag::S_IFSOCK]))
        .is("pipes", of_type(&[SFlag::S_IFIFO]))
        .is("devices", of_type(&[SFlag::S_IFCHR, SFlag::S_IFBLK]))
        .is("anonymous", count(&anonymous))
        .is("deleted", count(&|one| one.stat.st_nlink == 0))
        .done();
}

#[test]
fn the_files_of_a_process_are_as_proc_has_them() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    compare_fds(&mount, workload.pid(), None);
    let rows = mount.rows("summary/fds_by_process");
    let row = find(&rows, &[("pid", workload.pid().into())]);
    for column in row.keys().filter(|name| *name != "uid") {
        assert_ne!(row[column], 0, "the workload has none: {column}");
    }
}

#[test]
fn a_threads_own_table_counts_to_its_process() {
    let mount = Mount::new();
    let workload = Workload::start("tables", &[]);
    compare_fds(&mount, workload.pid(), Some(workload.number("unshared")));
    let shared = proc::numbers(&proc::process(workload.pid()).join("fd")).len();
    let rows = mount.rows("summary/fds_by_process");
    let row = find(&rows, &[("pid", workload.pid().into())]);
    assert_eq!(row["fds"], 2 * shared + 1, "two tables, one with one more");
}

#[test]
fn the_files_of_a_type_are_those_of_the_table() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(Workload::program())
        .arg("files")
        .arg(directory.path());
    let mut reader = Workload::from_command(command);
    // The only process of its namespace; it has one file of the mount open as it reads.
    let files = reader.rows(&mount.path("files.jsonl"));
    let rows = reader.rows(&mount.path("summary/fds_by_type.jsonl"));

    let mut by_type = BTreeMap::<&str, Vec<&Row>>::new();
    for file in &files {
        by_type
            .entry(file["type"].as_str().unwrap())
            .or_default()
            .push(file);
    }
    assert!(by_type.len() > 10, "{by_type:?}");
    for (name, files) in &by_type {
        let deleted: Vec<_> = files.iter().filter(|file| file["links"] == 0).collect();
        let regular = deleted.iter().filter(|file| file["type"] == "REG");
        let size: u64 = regular.map(|file| file["size"].as_u64().unwrap()).sum();
        Columns::of(find(&rows, &[("type", (*name).into())]))
            .is("type", *name)
            .is("fds", files.len())
            .is("deleted", deleted.len())
            .is("deleted_size", size)
            .done();
    }
    assert_eq!(rows.len(), by_type.len());
    // The memfd never had a name.
    assert!(find(&rows, &[("type", "REG".into())])["deleted_size"].as_u64() >= Some(5000));
}

#[test]
fn the_sockets_of_a_process_are_counted_by_their_states() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    let pid = workload.pid();
    let sockets = mount.rows(&format!("pid/{pid}/sockets"));
    let held = descriptors(pid, None);
    let held = held.iter().filter(|one| one.link.starts_with(b"socket:["));
    let listening = select(&sockets, &[("state", "LISTEN".into())]).len();
    let rows = mount.rows("summary/sockets_by_process");
    Columns::of(find(&rows, &[("pid", pid.into())]))
        .is("pid", pid)
        .is("uid", 0)
        .is("comm", "workload")
        .is("sockets", held.count())
        .is("tcp", select(&sockets, &[("protocol", 6.into())]).len())
        .is("udp", select(&sockets, &[("protocol", 17.into())]).len())
        .is("unix", select(&sockets, &[("family", "unix".into())]).len())
        .is(
            "netlink",
            select(&sockets, &[("family", "netlink".into())]).len(),
        )
        .is(
            "other",
            select(&sockets, &[("family", "packet".into())]).len(),
        )
        .is("listening", listening)
        .done();
    // The workload's facts say what it opened.
    assert_eq!((sockets.len(), listening), (11, 3), "{sockets:?}");
    let idle = Workload::start("idle", &[]);
    let rows = mount.rows("summary/sockets_by_process");
    assert!(select(&rows, &[("pid", idle.pid().into())]).is_empty());
}
