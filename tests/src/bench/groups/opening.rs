//! The cost of a mount that nobody reads.

use crate::Mount;
use crate::bench::cost::processor_time;
use crate::bench::run::Run;
use crate::bench::spread::Spread;
use crate::fixtures::many_files::ManyFiles;
use crate::fixtures::programs;
use crate::mount::daemon::Daemon;
use anyhow::{Context, Result, ensure};
use nix::mount::{MntFlags, umount2};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub(super) const ROWS: &[&str] = &["mount", "idle", "handles", "stopped"];

const MOUNTS: usize = 15;
const HANDLES: usize = 1000;
/// How long the daemon is looked at.
const WATCHED: Duration = Duration::from_secs(3);

pub(super) fn measure(run: &mut Run) -> Result<()> {
    if run.wants(&["mount"]) {
        let times: Result<Vec<f64>> = (0..MOUNTS).map(|_| mounting()).collect();
        let value = Spread::of(times?);
        run.figure(
            "mount",
            "from `iterfs mount` to ready",
            Some(50.0),
            "ms",
            value,
        );
    }
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;

    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    if run.wants(&["idle"]) {
        memory(run, "idle", "memory of an idle daemon", Some(16.0), daemon);
        idle(run, "idle", "processor time of an idle daemon", daemon)?;
    }
    let process = ManyFiles::start(1, 19_000);
    if run.wants(&["handles"]) {
        let open = || File::open(mount.path("tasks"));
        let handles: Vec<File> = (0..HANDLES).map(|_| open()).collect::<Result<_, _>>()?;
        memory(
            run,
            "handles",
            "memory with 1000 open handles",
            Some(64.0),
            daemon,
        );
        idle(
            run,
            "handles",
            "processor time with 1000 open handles",
            daemon,
        )?;
        drop(handles);
    }
    run.go_on()?;
    if run.wants(&["stopped"]) {
        // Each has begun a table of which more is made than it takes.
        let mut handles = Vec::new();
        for _ in 0..HANDLES {
            let mut file = File::open(mount.path(&process.table()))?;
            file.read_exact(&mut [0; 4096])?;
            handles.push(file);
        }
        let what = "memory with 1000 readers that stopped in a long table";
        memory(run, "stopped", what, Some(64.0), daemon);
        let what = "processor time with 1000 readers that stopped";
        idle(run, "stopped", what, daemon)?;
    }
    Ok(())
}

/// Milliseconds until the command that mounts has ended, when the mount answers.
fn mounting() -> Result<f64> {
    let directory = tempfile::Builder::new().prefix("iterfs-bench-").tempdir()?;
    let start = Instant::now();
    let status = Command::new(programs::iterfs())
        .arg("mount")
        .arg(directory.path())
        .status()?;
    let time = start.elapsed();
    ensure!(status.success(), "iterfs mount: {status}");
    ensure!(directory.path().join("tasks").exists(), "nothing mounted");
    umount2(directory.path(), MntFlags::empty()).context("the mount cannot be taken off")?;
    Ok(time.as_secs_f64() * 1e3)
}

fn memory(run: &mut Run, name: &str, what: &str, goal: Option<f64>, daemon: Daemon) {
    let mebibytes = daemon.status("VmRSS") as f64 / 1024.0;
    run.figure(name, what, goal, "MiB", Spread::of([mebibytes]));
}

fn idle(run: &mut Run, name: &str, what: &str, daemon: Daemon) -> Result<()> {
    // The work that reads leave behind is over, and idle threads have ended.
    thread::sleep(Duration::from_secs(6));
    let before = processor_time(daemon.0)?;
    thread::sleep(WATCHED);
    let spent = (processor_time(daemon.0)? - before).as_secs_f64() * 1e6;
    let spent = spent / WATCHED.as_secs_f64();
    run.figure(name, what, Some(0.0), "µs a second", Spread::of([spent]));
    Ok(())
}
