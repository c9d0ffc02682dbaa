//! The control file's commands and their outcomes.

use super::fixture::*;
use rstest::rstest;

#[rstest]
#[case("load mine /records.o", "loaded user/mine")]
#[case("load mine /records.o dump", "loaded user/mine")]
#[case("load mine /records.o pid=42", "loaded user/mine")]
#[case(
    "load mine /records.o cgroup=/system.slice/ssh.service order=each",
    "loaded user/mine"
)]
#[case("pin tasks", "pinned tasks at /bpffs/tasks")]
#[case("pin net/tcp sockets/tcp", "pinned net/tcp at /bpffs/sockets/tcp")]
#[case("pin pid/42/files", "pinned pid/42/files at /bpffs/pid/42/files")]
#[case(
    "pin cgroup/system.slice/cgroup.self",
    "pinned cgroup/system.slice/cgroup.self at /bpffs/cgroup/system_slice/cgroup_self"
)]
#[case("unpin", "unpinned 0 links")]
#[case("update tasks /records.o", "tasks: updated from /records.o")]
#[case("update tasks default", "tasks: back to its own program")]
#[case("reload", "reloaded the configuration")]
fn a_command_says_what_it_did(#[case] command: &str, #[case] outcome: &str) {
    assert_eq!(tree().ctl(command).as_deref(), Ok(outcome));
}

#[rstest]
#[case(
    "",
    "EINVAL: empty command; use pin, unpin, update, load, unload or reload"
)]
#[case(
    "dance",
    "EINVAL: unknown command 'dance'; use pin, unpin, update, load, unload or reload"
)]
#[case("pin a b c", "EINVAL: usage: pin [PATH [PIN]]")]
#[case("pin nothing", "ENOENT: no table 'nothing'")]
#[case("pin pid/99/files", "ENOENT: no table 'pid/99/files'")]
#[case(
    "pin net",
    "EINVAL: 'net' is not a table; give its path without a format, such as net/tcp"
)]
#[case(
    "pin tasks.json",
    "EINVAL: 'tasks.json' is not a table; give its path without a format, such as net/tcp"
)]
#[case(
    "pin ctl",
    "EINVAL: 'ctl' is not a table; give its path without a format, such as net/tcp"
)]
#[case(
    "pin tasks a.b",
    "EPERM: /bpffs/a.b: Operation not permitted (os error 1)"
)]
#[case("unpin tasks", "ENOENT: 'tasks' is not pinned")]
#[case(
    "load mine records.o",
    "EINVAL: 'records.o' is not an absolute path; the daemon has another working directory"
)]
#[case("load mine /nothing.o", "")]
#[case(
    "load a/b /records.o",
    "EINVAL: invalid table name 'a/b': use letters, digits, _ and -, at most 64"
)]
#[case("load mine /records.o pid=0", "EINVAL: invalid parameter 'pid=0'")]
#[case(
    "load mine /records.o pid=1 tid=2",
    "EINVAL: give one of pid=, tid=, map= and cgroup="
)]
#[case(
    "load mine /records.o order=self",
    "EINVAL: give one of pid=, tid=, map= and cgroup="
)]
#[case("load mine /records.o cgroup=/none", "ENOENT: no cgroup /none")]
#[case(
    "update tasks /tcp.o",
    "EINVAL: the program walks tcp, but this table needs a program for task"
)]
#[case("update nothing default", "ENOENT: no table 'nothing'")]
#[case("unload none", "ENOENT: no table user/none")]
#[case("reload now", "EINVAL: usage: reload")]
fn a_command_that_fails_says_why(#[case] command: &str, #[case] outcome: &str) {
    let failed = tree().ctl(command).expect_err("a failure");
    assert!(failed.starts_with(outcome), "{failed}");
}

#[test]
fn a_refused_program_shows_the_verifiers_log_below_the_reason() {
    let failed = tree().ctl("load mine /refused.o").expect_err("a failure");
    let lines: Vec<_> = failed.lines().collect();
    assert!(lines[0].starts_with("EACCES: cannot load the program of /refused.o"));
    assert_eq!(lines[1..], ["0: R1=ctx()", "the verifier says no"]);
}

#[test]
fn a_failed_command_changes_nothing() {
    let tree = tree();
    let before = tree.root().list("user").unwrap();
    for command in [
        "load mine /refused.o",
        "load mine /nothing.o",
        "load mine /records.o pid=x",
    ] {
        tree.ctl(command).expect_err("a failure");
    }
    assert_eq!(tree.root().list("user").unwrap(), before);
    tree.ctl("update tasks /tcp.o").expect_err("a failure");
    assert!(tree.root().read("tasks.json").is_ok());
}

#[rstest]
#[case(b"pin\nunpin", "EINVAL")]
#[case(b"pin \0", "EINVAL")]
#[case(b"\xff\xfe", "EILSEQ")]
fn a_write_is_one_line_of_text(#[case] bytes: &[u8], #[case] expected: &str) {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("ctl").unwrap();
    assert_eq!(errno(root.write(handle, 0, bytes)), expected);
}

#[test]
fn a_command_longer_than_a_page_is_too_long() {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("ctl").unwrap();
    let long = vec![b' '; 4097];
    assert_eq!(errno(root.write(handle, 0, &long)), "EMSGSIZE");
}

#[test]
fn a_command_is_written_from_the_beginning() {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("ctl").unwrap();
    assert_eq!(errno(root.write(handle, 7, b"reload")), "EINVAL");
}

#[test]
fn the_json_report_takes_no_commands() {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("ctl.json").unwrap();
    assert_eq!(errno(root.write(handle, 0, b"reload")), "EIO");
}

#[test]
fn an_outcome_is_read_once_from_the_file_that_the_command_was_written_to() {
    let tree = tree();
    let root = tree.root();
    let (one, other) = (root.open("ctl").unwrap(), root.open("ctl").unwrap());
    root.write(one, 0, b"pin tasks").unwrap();
    let outcome = root.read_at(one, 0).unwrap();
    assert_eq!(outcome, b"pinned tasks at /bpffs/tasks\n");
    assert!(root.read_at(one, 0).unwrap().is_empty());
    let report = String::from_utf8(root.read_at(other, 0).unwrap()).unwrap();
    assert!(report.starts_with("path"), "{report}");
}
