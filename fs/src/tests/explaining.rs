//! Explanations of names that ask.

use super::fixture::*;
use rstest::rstest;

#[rstest]
#[case(
    "tasks@pid=42,uid!=0,uid.csv",
    "table: tasks\n\
     walk: task, whole\n\
     condition: pid=42 (daemon)\n\
     condition: uid!=0 (daemon)\n\
     columns: uid\n\
     made: pid,uid\n"
)]
#[case(
    "pid/42/files@top=3:uid,pid",
    "table: pid/42/files\n\
     walk: task_file, process 42 alone\n\
     columns: pid\n\
     made: pid,uid\n\
     rows: the 3 with the largest uid (daemon)\n"
)]
#[case(
    "cgroup/system.slice/cgroup.ancestors@first=2,every=1s",
    "table: cgroup/<id 10>/cgroup.ancestors\n\
     walk: cgroup, the cgroup with id 10 and its ancestors\n\
     columns: pid,uid\n\
     made: pid,uid\n\
     rows: the first 2 (daemon)\n\
     every: 1s, a pass after a pass until the file is closed\n"
)]
#[case(
    "bpf/map/3/elements@whole",
    "table: bpf/map/3/elements\n\
     walk: bpf_map_elem, map 3 alone\n\
     columns: pid,uid\n\
     made: pid,uid\n\
     whole: made when the name is looked up\n"
)]
#[case("tasks.json", "table: tasks\nwalk: task, whole\ncolumns: pid,uid\n")]
#[case(
    "tasks@uidd=1",
    "'uidd=1': the table has no column uidd; did you mean uid?\n"
)]
#[case("tasks@", "'': the term is empty")]
#[case(
    "tasks@every=1s.json",
    "'every=1s': every and .json exclude each other"
)]
#[case("tasks@pid=\n", "'pid=%0A': ")]
fn an_explanation_says_how_a_name_is_answered(#[case] path: &str, #[case] expected: &str) {
    let explained = tree().root().explain(path).unwrap();
    assert!(explained.starts_with(expected), "{explained}");
    if expected.ends_with('\n') {
        assert_eq!(explained, expected);
    } else {
        assert_eq!(explained.lines().count(), 1, "{explained}");
    }
}

#[test]
fn a_table_in_user_is_explained() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let explained = tree.root().explain("user/mine@pid=1,uid").unwrap();
    let expected = "table: user/mine\nwalk: task, whole\ncondition: pid=1 (daemon)\n";
    assert!(explained.starts_with(expected), "{explained}");
    tree.ctl("load words /text.o").unwrap();
    let explained = tree.root().explain("user/words@pid=1").unwrap();
    assert!(explained.contains("text"), "{explained}");
    assert_eq!(explained.lines().count(), 1, "{explained}");
}

#[rstest]
#[case::nothing("nothing@pid=1", "ENOENT")]
#[case::directory("net", "ENOENT")]
#[case::control("ctl", "ENOENT")]
#[case::gone("pid/99/files@pid=1", "ENOENT")]
fn a_name_of_no_table_has_no_explanation(#[case] path: &str, #[case] expected: &str) {
    assert_eq!(errno(tree().root().explain(path)), expected);
}

#[test]
fn whoever_may_not_read_a_table_gets_no_explanation() {
    let tree = tree();
    assert_eq!(
        errno(tree.as_thread(ALICE).explain("tasks@pid=1")),
        "EACCES"
    );
    let contained = tree.as_thread(CONTAINED_ROOT);
    assert_eq!(errno(contained.explain("kernel/slabs@pid=1")), "ENOENT");
    assert!(contained.explain("tasks@pid=1").is_ok());
}

#[test]
fn an_explanation_keeps_nothing_open() {
    let tree = tree();
    for _ in 0..3 {
        tree.root().explain("tasks@pid=1").unwrap();
    }
    assert_eq!(tree.held(), 0);
    let report = tree.root().read("ctl.json").unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let tables = report["tables"].as_array().unwrap();
    let tasks = tables.iter().find(|table| table["path"] == "tasks");
    assert_eq!(tasks.unwrap()["opens"], 0);
}

#[test]
fn a_table_that_fails_to_open_fails_to_be_explained() {
    let tree = tree();
    tree.fake.state().broken = Some(libc::ENOMEM);
    assert_eq!(errno(tree.root().explain("tasks@pid=1")), "ENOMEM");
}
