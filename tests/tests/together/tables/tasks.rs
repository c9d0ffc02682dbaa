//! `tasks` against /proc/<pid>/task/<tid>.

use iterfs_tests::fixtures::netns::run;
use iterfs_tests::fixtures::workload::{Cgroup, Ended, Workload, threads::ODD_NAME};
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::oracles::proc::{self, Stat, Status, TICK};
use iterfs_tests::{Mount, Row};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Compares one row with /proc before and after.
fn compare(row: &Row, pid: u32, tid: u32, before: &Moment) {
    let directory = proc::thread(pid, tid);
    let status = Status::read(&directory);
    let after = Moment::of(&directory);
    assert_eq!(before.stat.state(), after.stat.state(), "the task changed");

    let mut columns = Columns::of(row);
    columns
        .is("pid", pid)
        .is("tid", tid)
        .is("ppid", status.number("PPid", 0))
        .is("uid", status.number("Uid", 1))
        .is("gid", status.number("Gid", 1))
        .is("ruid", status.number("Uid", 0))
        .is("state", after.stat.state())
        .is("cpu", after.stat.number(39))
        .is("prio", after.stat.number(18))
        .is("nice", after.stat.number(19))
        .is("policy", after.stat.policy())
        .is("cgroup", proc::cgroup(&directory))
        .is("comm", comm(row, &after.stat));
    for (column, kind) in proc::NAMESPACES {
        columns.is(column, proc::namespace(&directory, kind));
    }
    let start = after.stat.number(22) as u64 * TICK;
    columns.between("start", start, start + TICK - 1);

    let (utime, stime) = (columns.number("utime"), columns.number("stime"));
    assert!(
        (before.runtime..=after.runtime).contains(&(utime + stime)),
        "{utime} + {stime} is not in {}..={}",
        before.runtime,
        after.runtime
    );
    // /proc splits the sum by sampled ticks, and never decreases a part.
    for (time, field) in [(utime, 14), (stime, 15)] {
        let low = before.stat.number(field) as u64 * TICK;
        let high = after.stat.number(field) as u64 * TICK;
        assert!(
            (low.saturating_sub(TICK)..=high + 2 * TICK).contains(&time),
            "field {field} is {time}, not in {low}..={high} and a tick"
        );
    }
    columns.done();
}

/// /proc shows a kernel thread by a name that may be longer than the task's own.
fn comm(row: &Row, stat: &Stat) -> Value {
    const PF_KTHREAD: i64 = 0x0020_0000;
    let shown = proc::shown(stat.comm());
    let own = row["comm"].as_str().unwrap_or_default();
    if stat.number(9) & PF_KTHREAD != 0 && !own.is_empty() && shown.starts_with(own) {
        return own.into();
    }
    shown.into()
}

/// Values that only grow, before or after the table is read.
struct Moment {
    stat: Stat,
    runtime: u64,
}

impl Moment {
    fn of(directory: &Path) -> Moment {
        // A running task adds to the time that was read first.
        let stat = Stat::read(directory).expect("a task that stays");
        Moment {
            stat,
            runtime: proc::runtime(directory),
        }
    }
}

/// Reads the table and compares these threads.
fn check(mount: &Mount, table: &str, threads: &[(u32, u32)]) {
    let before: Vec<Moment> = threads
        .iter()
        .map(|&(pid, tid)| Moment::of(&proc::thread(pid, tid)))
        .collect();
    let rows = mount.rows(table);
    for (&(pid, tid), before) in threads.iter().zip(&before) {
        let row = find(&rows, &[("pid", pid.into()), ("tid", tid.into())]);
        compare(row, pid, tid, before);
    }
}

fn all_threads(pid: u32) -> Vec<(u32, u32)> {
    let tids = proc::numbers(&proc::process(pid).join("task"));
    tids.into_iter().map(|tid| (pid, tid)).collect()
}

#[test]
fn threads_are_as_proc_has_them() {
    let mount = Mount::new();
    let workload = Workload::start("threads", &[]);
    for (command, name) in [
        ("chrt --batch --pid 0", "batch"),
        ("chrt --idle --pid 0", "idle"),
        ("chrt --fifo --pid 7", "fifo"),
        ("chrt --rr --pid 99", "rr"),
        ("renice --priority -11 --pid", "nice"),
    ] {
        run(&format!("{command} {}", workload.number(name)));
    }

    let pid = workload.pid();
    let threads = all_threads(pid);
    assert_eq!(threads.len(), workload.facts().len(), "main and the others");
    check(&mount, "tasks", &threads);
    check(&mount, &format!("pid/{pid}/tasks"), &threads);

    let rows = mount.rows(&format!("pid/{pid}/tasks"));
    assert_eq!(rows.len(), threads.len());
    let row = |name: &str| find(&rows, &[("tid", workload.fact(name).clone())]);
    for policy in ["batch", "idle", "fifo", "rr"] {
        assert_eq!(row(policy)["policy"], policy);
    }
    assert_eq!(row("fifo")["prio"], -8);
    assert_eq!(row("rr")["prio"], -100);
    assert_eq!(row("nice")["nice"], -11);
    assert_eq!(row("nice")["prio"], 9);
    assert_eq!(row("burner")["state"], "running");
    assert_eq!(row("sleeper")["state"], "sleeping");
    assert_eq!(row("odd")["comm"], ODD_NAME);
    for namespace in ["netns", "mntns", "cgroupns"] {
        assert_ne!(row("apart")[namespace], row("sleeper")[namespace]);
    }
}

#[test]
fn ids_and_namespaces_are_those_of_the_process() {
    let mount = Mount::new();
    // A directory in which an unprivileged user can reach the program.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(
        directory.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let program = directory.path().join("workload");
    Workload::copy_program(&program);
    let mut command = Command::new("setpriv");
    command.args([
        "--clear-groups",
        "--ruid=3001",
        "--euid=3002",
        "--rgid=3003",
        "--egid=3004",
    ]);
    let user = Workload::from_command({
        command.arg(&program).arg("idle");
        command
    });
    let apart = Workload::under(
        &[
            "unshare",
            "--user",
            "--map-root-user",
            "--net",
            "--mount",
            "--cgroup",
        ],
        "idle",
    );
    let threads = [(user.pid(), user.pid()), (apart.pid(), apart.pid())];
    check(&mount, "tasks", &threads);

    let rows = mount.rows("tasks");
    let row = find(&rows, &[("tid", user.pid().into())]);
    assert_eq!(
        (&row["ruid"], &row["uid"], &row["gid"]),
        (&json!(3001), &json!(3002), &json!(3004))
    );
    let other = find(&rows, &[("tid", apart.pid().into())]);
    for namespace in ["userns", "netns", "mntns", "cgroupns"] {
        assert_ne!(row[namespace], other[namespace], "{namespace}");
    }
}

#[test]
fn the_cgroup_is_named_by_its_id() {
    let mount = Mount::new();
    let cgroup = Cgroup::new();
    let workload = Workload::start("idle", &[]);
    fs::write(
        cgroup.path().join("cgroup.procs"),
        workload.pid().to_string(),
    )
    .unwrap();
    check(&mount, "tasks", &[(workload.pid(), workload.pid())]);
    let rows = mount.rows("tasks");
    let row = find(&rows, &[("tid", workload.pid().into())]);
    assert_eq!(
        row["cgroup"],
        nix::sys::stat::stat(cgroup.path()).unwrap().st_ino
    );
    workload.end();
}

#[test]
fn a_stopped_process_and_a_zombie_are_shown_in_their_states() {
    let mount = Mount::new();
    let stopped = Ended::start("sleep", &["1000"]);
    kill(stopped.pid(), Signal::SIGSTOP).unwrap();
    waitpid(stopped.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
    let zombie = Ended::start("true", &[]);
    let kept = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(zombie.pid()), kept).unwrap();

    let ids = [stopped.id(), zombie.id()];
    check(&mount, "tasks", &ids.map(|id| (id, id)));
    let rows = mount.rows("tasks");
    let row = |id: u32| find(&rows, &[("tid", id.into())]);
    assert_eq!(row(ids[0])["state"], "stopped");
    assert_eq!(row(ids[1])["state"], "zombie");
    for namespace in ["netns", "mntns", "cgroupns"] {
        assert_eq!(row(ids[1])[namespace], Value::Null, "{namespace}");
    }
}

/// How often a task has been switched away from: unchanged, it has not run.
fn switches(directory: &Path) -> Option<(u64, u64)> {
    directory.exists().then(|| {
        let status = Status::read(directory);
        let count = |key| status.number(key, 0);
        (
            count("voluntary_ctxt_switches"),
            count("nonvoluntary_ctxt_switches"),
        )
    })
}

#[test]
fn kernel_threads_at_rest_are_as_proc_has_them() {
    const KTHREADD: u32 = 2;
    let mount = Mount::new();
    let children = fs::read_to_string("/proc/2/task/2/children").unwrap();
    let mut threads: Vec<(u32, u32)> = children
        .split_whitespace()
        .map(|pid| pid.parse().map(|pid| (pid, pid)).unwrap())
        .collect();
    threads.push((KTHREADD, KTHREADD));
    let before: Vec<_> = threads
        .iter()
        .map(|&(pid, tid)| {
            let directory = proc::thread(pid, tid);
            let counts = switches(&directory)?;
            Some((counts, Stat::read(&directory).ok()?))
        })
        .collect();
    let rows = mount.rows("tasks");

    let mut states = Vec::new();
    for (&(pid, tid), before) in threads.iter().zip(before) {
        let directory = proc::thread(pid, tid);
        let Some((counts, stat)) = before else {
            continue;
        };
        let rests = |stat: &Stat| stat.state() != "running" && switches(&directory) == Some(counts);
        if !rests(&stat) {
            continue;
        }
        // A task that was just woken has not switched yet, but is no longer asleep.
        let moment = Moment::of(&directory);
        if !rests(&moment.stat) {
            continue;
        }
        let row = find(&rows, &[("tid", tid.into())]);
        compare(row, pid, tid, &moment);
        states.push(stat.state());
    }
    for state in ["sleeping", "idle"] {
        assert!(
            states.contains(&state),
            "no {state} thread rested: {states:?}"
        );
    }
}
