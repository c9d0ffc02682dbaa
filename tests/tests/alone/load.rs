//! Many readers, slow readers, readers that go: none harms another.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::descriptors::ManyDescriptors;
use iterfs_tests::fixtures::many_files::ManyFiles;
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::wait::wait_until;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// The goal for the daemon's memory, in KiB.
const MEMORY: u64 = 64 * 1024;

/// Fails unless a table in the format of its name is complete and well-formed.
fn check_form(name: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.ends_with('\n'), "{name} is cut off");
    let rows = match name.rsplit_once('.').map(|(_, suffix)| suffix) {
        Some("json") => {
            let rows: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
            rows.len()
        }
        Some("jsonl") => {
            let rows = text.lines().map(serde_json::from_str::<serde_json::Value>);
            rows.filter(|row| row.as_ref().unwrap().is_object()).count()
        }
        Some("csv") => {
            let mut reader = csv::Reader::from_reader(bytes);
            reader.records().map(Result::unwrap).count()
        }
        _ => {
            let columns = text.lines().next().unwrap().split_whitespace().count();
            for line in text.lines() {
                assert_eq!(line.split_whitespace().count(), columns, "{name}: {line}");
            }
            text.lines().count() - 1
        }
    };
    assert!(rows > 0, "{name} is empty");
}

#[test]
fn two_hundred_readers_at_once_read_whole_tables() {
    let _turn = crate::turn();
    const READERS: usize = 200;
    let _many = ManyDescriptors::allow();
    let mount = Mount::new();
    let process = ManyFiles::start(1, 2_000);
    let quiet = process.table();
    let names = ["", ".json", ".jsonl", ".csv"].map(|suffix| format!("{quiet}{suffix}"));
    let wholes = names.map(|name| (mount.read(&name), name));
    let tables = ["tasks", "processes.csv", "net/netlink.json", "bpf/maps"];
    let start = Barrier::new(READERS);
    thread::scope(|scope| {
        let (mount, start) = (&mount, &start);
        for (whole, name) in wholes.iter().cycle().take(READERS / 2) {
            scope.spawn(move || {
                start.wait();
                assert!(mount.read(name) == *whole, "{name} differs");
                check_form(name, whole);
            });
        }
        for name in tables.iter().cycle().take(READERS / 2) {
            scope.spawn(move || {
                start.wait();
                check_form(name, &mount.read(name));
            });
        }
    });
}

#[test]
fn a_thousand_handles_are_held_and_then_read() {
    let _turn = crate::turn();
    const HANDLES: usize = 1000;
    let _many = ManyDescriptors::allow();
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    let process = ManyFiles::start(1, 50);
    let whole = mount.read(&process.table());
    let path = mount.path(&process.table());
    let mut handles: Vec<_> = (0..HANDLES).map(|_| File::open(&path).unwrap()).collect();
    assert!(daemon.iterators() >= HANDLES, "each is a pass of its own");
    assert!(
        daemon.status("VmHWM") < MEMORY,
        "{} KiB",
        daemon.status("VmHWM")
    );
    wait_until("nobody reads, so nothing runs", || rests(daemon));
    for handle in &mut handles {
        let mut bytes = Vec::new();
        handle.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, whole);
    }
    drop(handles);
    wait_until("all passes are over", || daemon.iterators() == 0);
}

/// Whether the daemon uses no CPU for a while.
fn rests(daemon: Daemon) -> bool {
    let before = daemon.ticks();
    thread::sleep(Duration::from_millis(500));
    daemon.ticks() == before
}

#[test]
fn a_reader_that_stops_harms_nobody() {
    let _turn = crate::turn();
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    let process = ManyFiles::start(1, 19_000);
    let whole = mount.read(&process.table());
    let path = mount.path(&process.table());

    // More of them than there are threads that serve or produce.
    let mut stopped: Vec<_> = (0..100).map(|_| File::open(&path).unwrap()).collect();
    let mut begun = vec![0; 4096];
    for file in &mut stopped {
        file.read_exact(&mut begun).unwrap();
    }
    wait_until("what is not read is not made", || rests(daemon));
    assert!(mount.read(&process.table()) == whole, "another reader");
    check_form("tasks", &mount.read("tasks"));

    let mut first = stopped.swap_remove(0);
    first.read_to_end(&mut begun).unwrap();
    assert!(begun == whole, "it may go on");
    drop((first, stopped));
    wait_until("all passes are over", || daemon.iterators() == 0);
}

#[test]
fn a_reader_that_is_killed_is_let_go() {
    let _turn = crate::turn();
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    let process = ManyFiles::start(1, 19_000);
    let path: PathBuf = mount.path(&process.table());
    for _ in 0..10 {
        let mut reader = Command::new("cat")
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It has begun, and waits for us to take more.
        let mut output = reader.stdout.take().unwrap();
        output.read_exact(&mut [0; 100]).unwrap();
        assert_eq!(daemon.iterators(), 1);
        reader.kill().unwrap();
        reader.wait().unwrap();
        wait_until("its pass is over", || daemon.iterators() == 0);
    }
    assert_eq!(
        mount.text(&process.table()).lines().count(),
        process.rows() + 1
    );
}

#[test]
fn memory_is_bounded_whatever_the_size() {
    let _turn = crate::turn();
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    let processes = ManyFiles::start(16, 18_800);
    assert!(processes.rows() > 300_000);
    let path = mount.path("files");
    let slow = thread::spawn(move || {
        let mut file = File::open(path).unwrap();
        let mut piece = vec![0; 256 * 1024];
        let mut lines = 0;
        loop {
            let bytes = file.read(&mut piece).unwrap();
            if bytes == 0 {
                return lines;
            }
            lines += piece[..bytes].iter().filter(|&&byte| byte == b'\n').count();
            // Slower than the daemon: it must wait, not pile up.
            thread::sleep(Duration::from_millis(10));
        }
    });
    let mut cat = Command::new("cat")
        .arg(mount.path("files"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = 0;
    let mut reader = cat.stdout.take().unwrap();
    let mut piece = vec![0; 256 * 1024];
    while let bytes @ 1.. = reader.read(&mut piece).unwrap() {
        lines += piece[..bytes].iter().filter(|&&byte| byte == b'\n').count();
    }
    assert!(cat.wait().unwrap().success());
    assert!(lines > processes.rows(), "{lines}");
    assert!(slow.join().unwrap() > processes.rows());
    let peak = daemon.status("VmHWM");
    println!("peak memory: {peak} KiB");
    assert!(peak < MEMORY, "{peak} KiB");
}

#[test]
fn many_readers_that_stop_share_the_daemons_memory_and_give_it_back() {
    let _turn = crate::turn();
    const READERS: usize = 100;
    const LIMIT: u64 = 64 * 1024;
    let mount = Mount::with_options("memory=64M");
    let daemon = Daemon(mount.daemon());
    let process = ManyFiles::start(1, 19_000);
    let whole = mount.read(&process.table());
    assert!(whole.len() > 1_500_000);
    let idle = daemon.status("VmRSS");

    let path = mount.path(&process.table());
    let mut readers: Vec<_> = (0..READERS).map(|_| File::open(&path).unwrap()).collect();
    let mut begun = vec![0; 1_000_000];
    for reader in &mut readers {
        reader.read_exact(&mut begun).unwrap();
        assert!(begun == whole[..begun.len()]);
    }
    // All that they have read and could read ahead is twice as much as they may keep.
    for reader in &mut readers {
        // The least that is always kept behind a reader.
        reader.seek_relative(-32 * 1024).unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(rest == whole[begun.len() - 32 * 1024..]);
    }
    let peak = daemon.status("VmHWM");
    println!("idle {idle} KiB, peak {peak} KiB");
    assert!(peak < LIMIT, "{peak} KiB");
    drop(readers);
    wait_until("memory is given back", || {
        daemon.status("VmRSS") < idle + 16 * 1024
    });
}
