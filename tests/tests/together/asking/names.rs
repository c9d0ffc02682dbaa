//! Names that ask, through a mount: they are found, opened, refused and forgotten.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::wait::wait_until;
use nix::libc;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

#[test]
fn a_name_shows_the_rows_and_columns_that_it_asks_for() {
    let mount = Mount::new();
    let workload = Workload::start("idle", &[]);
    let pid = workload.pid();
    let path = mount.path(&format!("tasks@pid={pid},tid={pid},pid,comm.csv"));
    let shown = Command::new("cat").arg(&path).output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let expected = format!("pid,comm\r\n{pid},{}\r\n", comm.trim_end());
    assert_eq!(String::from_utf8(shown.stdout).unwrap(), expected);
}

#[test]
fn a_listening_socket_is_found_by_its_state() {
    let mount = Mount::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let rows = mount.rows(&format!("net/tcp@state=LISTEN,local_port={port}"));
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(
        mount
            .rows(&format!("net/tcp@state!=LISTEN,local_port={port}"))
            .is_empty()
    );
}

#[test]
fn a_wrong_name_is_einval_and_the_log_says_why() {
    let mount = Mount::new();
    let opened = fs::File::open(mount.path("tasks@stat=running"));
    assert_eq!(opened.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    wait_until("the reason is in the log", || {
        let log = mount.log();
        log.iter()
            .any(|line| line.contains("tasks@stat=running") && line.contains("did you mean state?"))
    });
    let opened = fs::File::open(mount.path("tasks@every=1s.json"));
    assert_eq!(opened.unwrap_err().raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn a_file_that_is_open_can_be_opened_again_and_stays_one_file() {
    let mount = Mount::new();
    let path = mount.path(&format!("tasks@pid={}.csv", std::process::id()));
    let before = fs::metadata(&path).unwrap().ino();
    let mut first = fs::File::open(&path).unwrap();
    let mut second = fs::File::open(&path).unwrap();
    let (mut one, mut other) = (String::new(), String::new());
    first.read_to_string(&mut one).unwrap();
    second.read_to_string(&mut other).unwrap();
    assert!(one.lines().count() >= 2, "{one}");
    assert_eq!(one.lines().next(), other.lines().next());
    for file in [&first, &second] {
        assert_eq!(file.metadata().unwrap().ino(), before);
    }
    drop((first, second));
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);
}

#[test]
fn cp_copies_a_name_that_asks() {
    let mount = Mount::new();
    let copy = tempfile::tempdir().unwrap();
    let pid = std::process::id();
    // cp refuses a file whose inode number changes between its two looks.
    let copied = Command::new("cp")
        .arg(mount.path(&format!("tasks@tid={pid},pid.csv")))
        .arg(copy.path().join("copy"))
        .output()
        .unwrap();
    assert!(copied.status.success(), "{copied:?}");
    let rows = fs::read_to_string(copy.path().join("copy")).unwrap();
    assert_eq!(rows, format!("pid\r\n{pid}\r\n"));
}
