//! User programs: tables in `user`, updates and pins.

use super::fixture::*;
use rstest::rstest;

#[test]
fn a_program_of_records_is_a_table_in_every_format() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let root = tree.root();
    assert_eq!(
        root.list("user").unwrap(),
        ["mine", "mine.json", "mine.jsonl", "mine.csv"]
    );
    assert!(
        root.read("user/mine.csv")
            .unwrap()
            .starts_with("pid,uid\r\n")
    );
}

#[test]
fn a_program_that_prints_is_a_table_of_text() {
    let tree = tree();
    tree.ctl("load mine /text.o").unwrap();
    let root = tree.root();
    assert_eq!(root.list("user").unwrap(), ["mine"]);
    assert_eq!(root.read("user/mine").unwrap(), "printed by the program\n");
    assert_eq!(errno(root.find("user/mine.json")), "ENOENT");
}

#[test]
fn a_name_is_taken_until_it_is_unloaded() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let taken = tree.ctl("load mine /text.o").expect_err("a failure");
    assert_eq!(taken, "EEXIST: user/mine already exists; unload it first");
    tree.ctl("unload mine").unwrap();
    assert_eq!(
        tree.ctl("load mine /text.o").as_deref(),
        Ok("loaded user/mine")
    );
}

#[test]
fn a_table_loaded_again_is_another_one() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let first = tree.root().find("user/mine").unwrap();
    let handle = tree.root().open("user/mine").unwrap();
    tree.ctl("unload mine").unwrap();
    tree.ctl("load mine /records.o").unwrap();
    assert_ne!(tree.root().find("user/mine").unwrap(), first);
    assert_eq!(errno(tree.root().open_node(first)), "ENOENT");
    // A reader in the middle of a pass finishes it.
    assert!(!tree.root().read_handle(handle).unwrap().is_empty());
}

#[test]
fn a_user_table_that_sees_processes_is_in_a_container_too() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let contained = tree.as_thread(CONTAINED_ROOT);
    assert!(
        contained
            .read("user/mine.csv")
            .unwrap()
            .contains("\r\n1,0\r\n")
    );
}

#[test]
fn an_update_changes_the_formats_of_a_table_and_default_brings_them_back() {
    let tree = tree();
    tree.ctl("update tasks /text.o").unwrap();
    let root = tree.root();
    assert_eq!(root.read("tasks").unwrap(), "printed by the program\n");
    assert_eq!(errno(root.find("tasks.json")), "ENOENT");
    assert!(!root.list("").unwrap().contains(&"tasks.json".into()));
    tree.ctl("update tasks default").unwrap();
    assert!(root.read("tasks.json").is_ok());
}

#[test]
fn a_table_in_user_has_no_default() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let failed = tree.ctl("update user/mine default").expect_err("a failure");
    assert!(
        failed.starts_with("EINVAL: 'user/mine' has no program of its own"),
        "{failed}"
    );
}

#[test]
fn what_iterfs_asks_for_itself_does_not_go_by_updates() {
    let tree = tree();
    tree.ctl("update processes /text.o").unwrap();
    assert!(tree.root().list("pid").unwrap().contains(&"42".into()));
    assert!(tree.root().read("pid/42/files").is_ok());
}

#[test]
fn every_table_that_needs_nothing_is_pinned_at_once() {
    let tree = tree();
    let outcome = tree.ctl("pin").unwrap();
    let pins = tree.fake.state().pins.len();
    assert_eq!(outcome, format!("pinned {pins} tables"));
    assert!(pins > 15, "{pins}");
    assert_eq!(tree.ctl("pin").as_deref(), Ok("pinned 0 tables"));
    assert_eq!(tree.ctl("unpin"), Ok(format!("unpinned {pins} links")));
    assert!(tree.fake.state().pins.is_empty());
}

#[rstest]
#[case("tasks", "tasks")]
#[case("/tasks/", "tasks")]
#[case("net/tcp", "net/tcp")]
#[case("cgroup/cgroup.self", "cgroup/cgroup.self")]
fn a_pin_is_removed_by_the_path_of_its_table(#[case] pinned: &str, #[case] unpinned: &str) {
    let tree = tree();
    tree.ctl(&format!("pin {pinned} elsewhere")).unwrap();
    tree.ctl(&format!("unpin {unpinned}")).unwrap();
    assert!(tree.fake.state().pins.is_empty());
}

#[test]
fn a_program_that_writes_records_is_not_put_into_a_pin() {
    let tree = tree();
    tree.ctl("pin tasks").unwrap();
    let failed = tree.ctl("update tasks /records.o").expect_err("a failure");
    assert!(failed.starts_with("EOPNOTSUPP: the program of /records.o writes records"));
    let done = tree.ctl("update tasks /text.o");
    assert_eq!(done.as_deref(), Ok("tasks and 1 pin: updated from /text.o"));
    let back = tree.ctl("update tasks default");
    assert_eq!(
        back.as_deref(),
        Ok("tasks and 1 pin: back to its own program")
    );
}

#[test]
fn a_user_table_is_pinned_if_its_program_prints() {
    let tree = tree();
    tree.ctl("load words /text.o").unwrap();
    tree.ctl("load rows /records.o").unwrap();
    let pinned = tree.ctl("pin user/words");
    assert_eq!(
        pinned.as_deref(),
        Ok("pinned user/words at /bpffs/user/words")
    );
    let failed = tree.ctl("pin user/rows").expect_err("a failure");
    assert!(failed.starts_with("EOPNOTSUPP"), "{failed}");
}
