//! `summary/memory_by_process` and `tasks_by_state` beside /proc.

use iterfs_tests::fixtures::container::IN_NEW_PID_NAMESPACE;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::columns::{Columns, find, select};
use iterfs_tests::oracles::maps::{self, Mapping};
use iterfs_tests::oracles::proc::{self, Stat, Status, shown};
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::wait::wait_until;
use iterfs_tests::{Mount, Row};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::process::{Child, Command};

const MAPPINGS: &str = include_str!("programs/mappings.py");

fn size(mappings: &[Mapping], which: impl Fn(&Mapping) -> bool) -> u64 {
    let chosen = mappings.iter().filter(|mapping| which(mapping));
    chosen.map(|mapping| mapping.end - mapping.start).sum()
}

fn has(mapping: &Mapping, perm: char) -> bool {
    mapping.perms.contains(perm)
}

#[test]
fn the_memory_of_a_process_is_as_proc_has_it() {
    let mount = Mount::new();
    if !needs_table(&mount, "summary/memory_by_process") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command
        .args(["-c", MAPPINGS])
        .arg(directory.path())
        .arg("0");
    let workload = Workload::from_command(command);
    let pid = workload.number("pid");
    let process = proc::process(pid);
    let page = sysconf(SysconfVar::PAGE_SIZE).unwrap().unwrap() as u64;
    let rss = || Stat::read(&process).unwrap().number(24) as u64 * page;
    let ((mappings, rss), rows, _) = steadily(
        || (maps::read(pid), rss()),
        || mount.rows("summary/memory_by_process"),
        PartialEq::eq,
    );
    let status = Status::read(&process);
    let swap = status.text("VmSwap").trim_end_matches(" kB").parse::<u64>();
    let file = |mapping: &Mapping| mapping.dev.is_some();
    Columns::of(find(&rows, &[("pid", pid.into())]))
        .is("pid", pid)
        .is("uid", status.number("Uid", 1))
        .is("comm", shown(Stat::read(&process).unwrap().comm()))
        .is("mappings", mappings.len())
        .is("size", size(&mappings, |_| true))
        .is("file", size(&mappings, file))
        .is("anonymous", size(&mappings, |one| !file(one)))
        .is("shared", size(&mappings, |one| has(one, 's')))
        .is("writable", size(&mappings, |one| has(one, 'w')))
        .is("executable", size(&mappings, |one| has(one, 'x')))
        .is("heap", size(&mappings, |one| one.path == b"[heap]"))
        .is("stack", size(&mappings, |one| one.path == b"[stack]"))
        .is("rss", rss)
        .is("swap", swap.unwrap() * 1024)
        .done();
    let row = find(&rows, &[("pid", pid.into())]);
    for column in row.keys().filter(|name| *name != "uid" && *name != "swap") {
        assert_ne!(row[column], 0, "the process has none: {column}");
    }
}

#[test]
fn memory_that_threads_share_counts_once() {
    let mount = Mount::new();
    if !needs_table(&mount, "summary/memory_by_process") {
        return;
    }
    // One of its threads has its own descriptor table, for which the kernel's
    // walk shows the memory a second time.
    let workload = Workload::start("tables", &[]);
    let pid = workload.pid();
    let rows = mount.rows("summary/memory_by_process");
    let row = find(&rows, &[("pid", pid.into())]);
    assert_eq!(row["mappings"], maps::read(pid).len());
    let kernel = select(&rows, &[("pid", 2.into())]);
    assert!(kernel.is_empty(), "kthreadd has no memory: {kernel:?}");
}

/// A command in the pid namespace of a process, with its process there.
struct Inside {
    nsenter: Child,
    pid: u32,
}

impl Inside {
    fn start(namespace: u32, script: &str) -> Inside {
        let target = namespace.to_string();
        let nsenter = Command::new("nsenter")
            .args(["--target", &target, "--pid", "sh", "-c", script])
            .spawn()
            .unwrap();
        let mut pid = None;
        wait_until("nsenter starts the script", || {
            pid = proc::first_child(nsenter.id());
            pid.is_some()
        });
        let pid = pid.unwrap();
        Inside { nsenter, pid }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid as i32), signal).unwrap();
    }

    fn wait_for(&self, comm: &str, state: &str) {
        wait_until("the process is as wanted", || {
            let stat = Stat::read(&proc::process(self.pid)).unwrap();
            stat.comm() == comm.as_bytes() && stat.state() == state
        });
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.pid as i32), Signal::SIGKILL);
        // It stops when its child does.
        let _ = self.nsenter.kill();
        let _ = self.nsenter.wait();
    }
}

#[test]
fn tasks_by_state_of_a_namespace_are_those_put_into_it() {
    let mount = Mount::new();
    let mut reader = Workload::under(&IN_NEW_PID_NAMESPACE, "threads");
    let first = proc::first_child(reader.pid()).unwrap();
    let sleepers: Vec<_> = (0..5)
        .map(|_| Inside::start(first, "exec sleep 1000"))
        .collect();
    for (number, sleeper) in sleepers.iter().enumerate() {
        sleeper.wait_for("sleep", "sleeping");
        if number < 3 {
            sleeper.signal(Signal::SIGSTOP);
            sleeper.wait_for("sleep", "stopped");
        }
    }
    // Its child ends at once and is never waited for.
    let parent = Inside::start(first, "true & exec sleep 1000");
    parent.wait_for("sleep", "sleeping");
    let ended = proc::first_child(parent.pid).unwrap();
    let ended = proc::process(ended);
    wait_until("the child has ended", || {
        Stat::read(&ended).unwrap().state() == "zombie"
    });

    let rows = reader.rows(&mount.path("summary/tasks_by_state.jsonl"));
    let row = |state: &str, threads: usize| {
        Columns::of(find(&rows, &[("state", state.into())]))
            .is("state", state)
            .is("threads", threads)
            .is("processes", threads)
            .done();
    };
    row("stopped", 3);
    row("zombie", 1);
    let sum = |column: &str| -> u64 { rows.iter().map(|row| row[column].as_u64().unwrap()).sum() };
    // The facts are the reader's threads and its pid, that is the first thread.
    assert_eq!(
        sum("threads"),
        reader.facts().len() as u64 + 5 + 2,
        "{rows:?}"
    );
    assert_eq!(sum("processes"), 1 + 5 + 2, "{rows:?}");
    // All but the thread that reads and the one that burns are asleep.
    let sleeping = find(&rows, &[("state", "sleeping".into())]);
    let threads = |row: &Row| row["threads"].as_u64().unwrap();
    let resting = reader.facts().len() as u64 - 2 + 2 + 1;
    assert!(
        (resting..=resting + 2).contains(&threads(sleeping)),
        "{rows:?}"
    );
}
