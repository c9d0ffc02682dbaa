//! The report in the control file.

use super::fixture::*;
use serde_json::Value;

fn report(tree: &Tree) -> Value {
    let text = tree.root().read("ctl.json").unwrap();
    serde_json::from_str(&text).unwrap()
}

fn line<'a>(report: &'a Value, path: &str) -> &'a Value {
    let tables = report["tables"].as_array().unwrap();
    let found = tables.iter().find(|table| table["path"] == path);
    found.unwrap_or_else(|| panic!("{path} is not in {report}"))
}

#[test]
fn opens_rows_and_bytes_are_counted_by_table() {
    let tree = tree();
    let length = tree.root().read("tasks.csv").unwrap().len();
    tree.root().open("tasks").unwrap();
    let report = report(&tree);
    let tasks = line(&report, "tasks");
    assert_eq!((&tasks["opens"], &tasks["rows"]), (&2.into(), &5.into()));
    assert_eq!(tasks["bytes"], length);
    assert_eq!(line(&report, "net/tcp")["opens"], 0);
}

#[test]
fn every_table_that_is_here_has_a_line() {
    let tree = tree();
    tree.fake.state().lacking.insert("dmabuf");
    let report = report(&tree);
    for path in [
        "tasks",
        "bpf/map/<id>/elements",
        "cgroup/<path>/cgroup.self",
        "net/sockets",
    ] {
        line(&report, path);
    }
    let tables = report["tables"].as_array().unwrap();
    assert!(!tables.iter().any(|table| table["path"] == "kernel/dmabufs"));
}

#[test]
fn user_tables_are_described_and_forgotten_when_they_are_unloaded() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    tree.root().read("user/mine").unwrap();
    let told = report(&tree);
    let mine = line(&told, "user/mine");
    assert_eq!(mine["opens"], 1);
    assert_eq!(mine["columns"][0]["name"], "pid");
    tree.ctl("unload mine").unwrap();
    tree.ctl("load mine /records.o").unwrap();
    assert_eq!(line(&report(&tree), "user/mine")["opens"], 0);
}

#[test]
fn pins_are_shown_with_the_tables_that_they_show() {
    let tree = tree();
    tree.ctl("pin pid/42/files there").unwrap();
    let report = report(&tree);
    assert_eq!(line(&report, "pid/42/files")["pin"], "/bpffs/there");
}

#[test]
fn a_failed_command_is_told_until_the_next_one_succeeds() {
    let tree = tree();
    tree.ctl("pin nothing").expect_err("a failure");
    assert_eq!(report(&tree)["last_failure"]["error"], "ENOENT");
    assert_eq!(report(&tree)["last_failure"]["command"], "pin nothing");
    tree.ctl("reload").unwrap();
    assert!(report(&tree)["last_failure"].is_null());
}
