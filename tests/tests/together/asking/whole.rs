//! Files that are made whole when they are looked up, and the programs that need them so.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::many_files::ManyFiles;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::needs;
use iterfs_tests::wait::wait_until;
use nix::libc;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mount, and a process whose rows do not change.
struct Fixture {
    mount: Mount,
    workload: Workload,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture {
            mount: Mount::new(),
            workload: Workload::start("idle", &[]),
        }
    }

    /// The path of the workload's open files, whole.
    fn files(&self, format: &str) -> PathBuf {
        let pid = self.workload.pid();
        self.mount
            .path(&format!("files@pid={pid},pid,fd,type,path,whole{format}"))
    }

    /// The same rows, read in the usual way.
    fn expected(&self, format: &str) -> String {
        let pid = self.workload.pid();
        self.mount
            .text(&format!("files@pid={pid},pid,fd,type,path{format}"))
    }

    /// The output of a shell command, to which `$1` is the whole file of a format.
    fn shell(&self, script: &str, format: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new("bash")
            .args(["-eu", "-o", "pipefail", "-c", script, "bash"])
            .arg(self.files(format))
            .current_dir(&directory)
            .env("PYTHONPATH", peers())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {errors}");
        assert!(errors.is_empty(), "{script}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The directory in which `make test-dependencies` installs the Python packages.
fn peers() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    target.unwrap_or_else(usual).join("peers")
}

fn needs_peer(name: &str) -> bool {
    let here = peers().join(name).is_dir();
    needs(here, &format!("the Python package {name} is not installed"))
}

fn needs_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    needs(here, &format!("{name} is not installed"))
}

#[test]
fn the_size_is_the_number_of_bytes() {
    let fixture = Fixture::new();
    for format in ["", ".csv", ".json", ".jsonl"] {
        let path = fixture.files(format);
        let expected = fixture.expected(format);
        assert_eq!(fs::metadata(&path).unwrap().len(), expected.len() as u64);
        let mut file = File::open(&path).unwrap();
        let found = file.metadata().unwrap();
        assert_eq!(found.len(), expected.len() as u64);
        assert_eq!(found.blocks(), found.len().div_ceil(512));
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        assert_eq!(read, expected);
        // Anywhere, in any order.
        assert_eq!(file.seek(SeekFrom::End(-1)).unwrap(), found.len() - 1);
        let mut buffer = [0; 8];
        file.read_exact_at(&mut buffer, 3).unwrap();
        assert_eq!(buffer, expected.as_bytes()[3..11]);
    }
}

#[test]
fn a_name_without_rows_is_whole_too() {
    let mount = Mount::new();
    assert_eq!(mount.text("tasks@pid=4194305,pid,whole.csv"), "pid\r\n");
    let path = mount.path("tasks@pid=4194305,pid,whole.jsonl");
    assert_eq!(fs::metadata(path).unwrap().len(), 0);
}

#[test]
fn programs_that_go_by_the_size_read_every_byte() {
    let fixture = Fixture::new();
    let expected = fixture.expected(".csv");
    for script in [
        "cat \"$1\"",
        "busybox cat \"$1\"",
        "cp --sparse=always \"$1\" copy; cat copy",
        "tar --create --absolute-names --file archive \"$1\"; tar --extract --to-stdout --absolute-names --file archive",
        "python3 -c 'import mmap, sys
file = open(sys.argv[1], \"rb\")
sys.stdout.buffer.write(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[:])' \"$1\"",
        "python3 -c 'import os, sys
file, at = os.open(sys.argv[1], os.O_RDONLY), 0
to = os.open(\"copy\", os.O_RDWR | os.O_CREAT)
while sent := os.sendfile(to, file, at, 7):
    at += sent
os.lseek(to, 0, 0)
os.write(1, os.read(to, 1 << 20))' \"$1\"",
        "tail --bytes=+1 \"$1\"",
    ] {
        assert_eq!(fixture.shell(script, ".csv"), expected, "{script}");
    }
}

#[test]
fn rsync_copies_a_whole_file() {
    if !needs_program("rsync") {
        return;
    }
    let fixture = Fixture::new();
    let copied = fixture.shell("rsync \"$1\" copy; cat copy", ".csv");
    assert_eq!(copied, fixture.expected(".csv"));
}

#[test]
fn duckdb_reads_whole_files() {
    if !needs_peer("duckdb") {
        return;
    }
    let fixture = Fixture::new();
    let rows = fixture.expected(".jsonl").lines().count();
    assert!(rows > 0);
    for (function, format) in [
        ("read_csv", ".csv"),
        ("read_json", ".json"),
        ("read_json", ".jsonl"),
    ] {
        let script = format!(
            "python3 -c 'import duckdb, sys
print(*duckdb.sql(f\"select count(*), min(fd), max(pid) from {function}(\\\"{{sys.argv[1]}}\\\")\".replace(chr(34), chr(39))).fetchall()[0])' \"$1\""
        );
        let shown = fixture.shell(&script, format);
        let pid = fixture.workload.pid();
        assert_eq!(shown, format!("{rows} 0 {pid}\n"), "{format}");
    }
}

#[test]
fn polars_scans_a_whole_file() {
    if !needs_peer("polars") {
        return;
    }
    let fixture = Fixture::new();
    let rows = fixture.expected(".jsonl").lines().count();
    let script = "python3 -c 'import polars, sys
frame = polars.scan_csv(sys.argv[1], glob=False).collect()
print(frame.height, frame[\"pid\"].max(), *frame.columns)' \"$1\"";
    let pid = fixture.workload.pid();
    let expected = format!("{rows} {pid} pid fd type path\n");
    assert_eq!(fixture.shell(script, ".csv"), expected);
}

#[test]
fn two_callers_share_no_page() {
    let fixture = Fixture::new();
    let path = fixture.files(".csv");
    let (first, second) = (File::open(&path).unwrap(), File::open(&path).unwrap());
    let before = fixture.expected(".csv");
    drop(fixture.workload);
    // The process has gone: only the files that were made before still have its rows.
    let third = File::open(&path).unwrap();
    let read = |mut file: &File| {
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        read
    };
    assert_eq!(read(&first), before);
    assert_eq!(read(&third), "pid,fd,type,path\r\n");
    assert_eq!(read(&second), before);
    assert_eq!(third.metadata().unwrap().len(), 18);
    assert_eq!(first.metadata().unwrap().len(), before.len() as u64);
}

#[test]
fn a_caller_who_would_see_other_rows_cannot_open_it_through_proc() {
    let mount = Mount::new();
    let file = File::open(mount.path("net/tcp@whole.csv")).unwrap();
    let proc = format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        std::os::fd::AsRawFd::as_raw_fd(&file)
    );
    assert!(fs::read(&proc).is_ok());
    // In another net namespace, even root would see other rows.
    let shown = Command::new("unshare")
        .args(["--net", "cat"])
        .arg(&proc)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&shown.stderr);
    assert!(errors.contains("Permission denied"), "{errors}");
    assert!(shown.stdout.is_empty());
}

#[test]
fn a_file_too_large_for_its_user_is_efbig_and_the_log_says_so() {
    let mount = Mount::with_options("memory=32M");
    // Root may keep five eighths of the memory, which is less than these rows take.
    let _processes = ManyFiles::start(10, 13_000);
    let found = fs::metadata(mount.path("files@whole.json"));
    assert_eq!(found.unwrap_err().raw_os_error(), Some(libc::EFBIG));
    wait_until("the reason is in the log", || {
        mount.log().iter().any(|line| line.contains("too large"))
    });
    // Everything that was kept for it is free again.
    let found = fs::metadata(mount.path("files@fd=0..2,pid,whole.csv")).unwrap();
    assert!(found.len() > 0);
}
