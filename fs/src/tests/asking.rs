//! Names that ask: which are found, for whom, and what they show.

use super::fixture::*;
use crate::access::policy::Others;
use crate::tree::inode;
use iterfs_mapping::Node;
use rstest::rstest;
use std::time::Duration;

#[rstest]
#[case("tasks@pid=42.csv", "pid,uid\r\n42,1001\r\n")]
#[case("tasks@pid=42..43,uid.csv", "uid\r\n1001\r\n1002\r\n")]
#[case(
    "tasks@uid=1001,uid,pid.jsonl",
    "{\"uid\":1001,\"pid\":42}\n{\"uid\":1001,\"pid\":71}\n"
)]
#[case("tasks@pid=99.csv", "pid,uid\r\n")]
#[case("pid/42/files@uid!=0.csv", "pid,uid\r\n42,1001\r\n")]
#[case("pid/42/files@uid=0.csv", "pid,uid\r\n")]
#[case("net/tcp@pid=1...csv", "pid,uid\r\n4026531840,0\r\n")]
#[case("netns/4026532900/tcp@pid.csv", "pid\r\n4026532900\r\n")]
#[case("bpf/map/3/elements@pid=3,pid.csv", "pid\r\n3\r\n")]
#[case("bpf/map/3/elements@pid=4.csv", "pid,uid\r\n")]
#[case("cgroup/system.slice/cgroup.self@pid=10.csv", "pid,uid\r\n10,0\r\n")]
#[case("summary/tasks_by_state@uid=1002,pid.csv", "pid\r\n43\r\n")]
fn a_name_asks_a_table(#[case] path: &str, #[case] rows: &str) {
    assert_eq!(tree().root().read(path).unwrap(), rows);
}

#[test]
fn a_table_in_user_is_asked() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let read = tree.root().read("user/mine@pid=42,uid.csv").unwrap();
    assert_eq!(read, "uid\r\n1001\r\n");
    let node = tree.root().find("user/mine@pid=42").unwrap();
    tree.ctl("unload mine").unwrap();
    assert_eq!(errno(tree.root().open_node(node)), "ENOENT");
    assert_eq!(errno(tree.root().find("user/mine@pid=42")), "ENOENT");
}

#[rstest]
#[case("tasks@", "EINVAL")]
#[case("tasks@pid=x", "EINVAL")]
#[case("tasks@nothing=1", "EINVAL")]
#[case("tasks@pid,pid", "EINVAL")]
#[case("tasks@pid=1,every=1s.json", "EINVAL")]
#[case("tasks@whole,every=1s", "EINVAL")]
#[case("pid/99/files@pid=1", "ENOENT")]
#[case("net/tasks@pid=1", "ENOENT")]
#[case("tasks.json@pid=1", "ENOENT")]
#[case("pid@x", "ENOENT")]
#[case("ctl@x", "ENOENT")]
#[case("nothing@pid=1", "ENOENT")]
#[case("user/none@pid=1", "ENOENT")]
#[case("bpf/map/4/elements@pid=1", "ENOENT")]
fn a_name_that_cannot_be_asked_is_not_found(#[case] path: &str, #[case] expected: &str) {
    let tree = tree();
    assert_eq!(errno(tree.root().find(path)), expected);
    assert_eq!(tree.held(), 0);
}

#[test]
fn a_name_that_asks_has_no_names_below_it() {
    assert_eq!(errno(tree().root().find("tasks@pid=1/x")), "ENOTDIR");
}

#[test]
fn a_program_that_prints_text_cannot_be_asked() {
    let tree = tree();
    tree.ctl("load mine /text.o").unwrap();
    tree.ctl("update tasks /text.o").unwrap();
    for path in ["user/mine@pid=1", "tasks@pid=1"] {
        let failure = tree.root().find(path).unwrap_err();
        assert_eq!(failure.errno_name(), "EINVAL");
        assert!(failure.to_string().contains("text"), "{failure}");
    }
    assert_eq!(errno(tree.root().find("tasks@pid=1.json")), "ENOENT");
}

#[test]
fn an_update_after_the_lookup_refuses_the_open() {
    let tree = tree();
    let node = tree.root().find("tasks@pid=42").unwrap();
    tree.ctl("update tasks /text.o").unwrap();
    assert_eq!(errno(tree.root().open_node(node)), "EINVAL");
}

#[test]
fn a_cgroup_with_an_at_sign_in_its_name_stays_a_directory() {
    let tree = tree();
    let mut state = tree.fake.state();
    state.cgroups.insert(20, (0, "user@1000.service".into()));
    state.cgroups.insert(21, (20, "cgroup@x".into()));
    drop(state);
    let found = tree.root().find("cgroup/user@1000.service/cgroup@x");
    assert!(matches!(found, Ok(Node::Directory(_))), "{found:?}");
    let asked = "cgroup/user@1000.service/cgroup@x/cgroup.self@pid=21,pid.csv";
    assert_eq!(tree.root().read(asked).unwrap(), "pid\r\n21\r\n");
}

#[rstest]
#[case::root(ROOT)]
#[case::member(MEMBER)]
#[case::another_user(ALICE)]
#[case::root_of_a_container(CONTAINED_ROOT)]
#[case::user_of_a_container(CONTAINED_ALICE)]
fn whoever_may_read_a_table_may_ask_it_and_nobody_else(#[case] thread: u32) {
    let mut own = options();
    own.others = Some(Others::Own);
    for options in [options(), own] {
        let tree = tree_with(&options);
        tree.ctl("load mine /records.o").unwrap();
        let who = tree.as_thread(thread);
        for path in [
            "tasks",
            "pid/42/files",
            "pid/1/files",
            "net/tcp",
            "netns/4026532900/tcp",
            "bpf/maps",
            "bpf/map/3/elements",
            "cgroup/system.slice/cgroup.self",
            "kernel/ksyms",
            "kernel/slabs",
            "summary/tasks_by_state",
            "user/mine",
        ] {
            let asking = format!("{path}@pid=0...csv");
            let told =
                |read: crate::error::Result<String>| read.map_err(|failure| failure.errno_name());
            let whole = told(who.read(&format!("{path}.csv")));
            assert_eq!(told(who.read(&asking)), whole, "{path}");
            let shown = |path: &str| {
                let found = who.stat(path).map_err(|failure| failure.errno_name())?;
                Ok::<_, String>((found.uid, found.gid, found.mode))
            };
            assert_eq!(shown(&asking), shown(path), "{path}");
        }
    }
}

#[test]
fn a_container_asks_about_its_own_processes() {
    let tree = tree();
    let contained = tree.as_thread(CONTAINED_ROOT);
    let read = |path| contained.read(path).unwrap();
    assert_eq!(read("tasks@pid=1..2,pid.csv"), "pid\r\n1\r\n2\r\n");
    assert_eq!(read("tasks@pid=42,pid.csv"), "pid\r\n");
    assert_eq!(read("net/tcp@pid.csv"), "pid\r\n4026532701\r\n");
}

#[test]
fn others_ask_about_their_own_processes() {
    let mut options = options();
    options.others = Some(Others::Own);
    let tree = tree_with(&options);
    let alice = tree.as_thread(ALICE);
    assert_eq!(alice.read("tasks@pid.csv").unwrap(), "pid\r\n42\r\n71\r\n");
    assert_eq!(alice.read("tasks@pid=43,pid.csv").unwrap(), "pid\r\n");
    assert_eq!(errno(alice.find("pid/43/files@pid=43")), "ENOENT");
}

#[test]
fn a_node_that_another_looked_up_is_refused_all_the_same() {
    let tree = tree();
    let contained = tree.as_thread(CONTAINED_ROOT);
    for path in ["kernel/slabs@pid=1", "pid/42/files@pid=42"] {
        let node = tree.root().find(path).unwrap();
        let requester = contained.requester();
        let attributes = tree.operations.attributes(&requester, node);
        assert_eq!(errno(attributes.map(|found| found.mode)), "ENOENT");
        assert_eq!(errno(contained.open_node(node)), "ENOENT");
        contained.holds(node);
        assert!(tree.operations.attributes(&requester, node).is_ok());
    }
}

#[test]
fn a_name_is_held_from_its_lookup_until_it_is_forgotten() {
    let tree = tree();
    let root = tree.root();
    let before = root.find("tasks@pid=42").unwrap();
    assert_eq!(root.find("tasks@pid=42").unwrap(), before);
    assert_eq!(root.stat("tasks@pid=42").unwrap().lifetime, Duration::ZERO);
    assert_eq!(tree.held(), 1);
    let number = inode::number(before);
    assert_eq!(tree.operations.node(number).unwrap(), before);
    tree.operations.forget(number, 3);
    assert_eq!(tree.held(), 0);
    assert_eq!(errno(tree.operations.node(number)), "ENOENT");
    assert_eq!(errno(root.open_node(before)), "ENOENT");
    let after = root.find("tasks@pid=42").unwrap();
    assert_ne!(inode::number(after), number);
    // A program that looks twice finds the same file.
    assert_eq!(inode::shown(after), inode::shown(before));
}

#[test]
fn an_open_table_outlives_its_name() {
    let tree = tree();
    let root = tree.root();
    let node = root.find("tasks@pid=42,pid.csv").unwrap();
    let handle = root.open_node(node).unwrap();
    tree.operations.forget(inode::number(node), 1);
    assert_eq!(root.read_handle(handle).unwrap(), "pid\r\n42\r\n");
}

#[test]
fn a_user_holds_a_bounded_number_of_names() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[quota]\nhandles = 2\n").unwrap();
    let mut options = options();
    options.config = Some(config.path().into());
    let tree = tree_with(&options);
    let member = tree.as_thread(MEMBER);
    let path = |number: u32| format!("tasks@pid={number}");
    let held: Vec<_> = (1..=8)
        .map(|number| member.find(&path(number)).unwrap())
        .collect();
    assert_eq!(errno(member.find(&path(9))), "EMFILE");
    assert!(tree.root().find(&path(9)).is_ok());
    tree.operations.forget(inode::number(held[0]), 1);
    assert!(member.find(&path(9)).is_ok());
}

#[test]
fn no_listing_shows_a_name_that_asks() {
    let tree = tree();
    let before = tree.root().list("").unwrap();
    tree.root().open("tasks@pid=42").unwrap();
    assert_eq!(tree.root().list("").unwrap(), before);
}

#[test]
fn a_pin_asks() {
    let tree = tree();
    let pinned = tree.ctl("pin tasks@pid=42").unwrap();
    assert!(pinned.starts_with("pinned tasks@pid=42 at "), "{pinned}");
    assert_eq!(tree.held(), 0);
}

#[rstest]
#[case("update tasks@pid=42 /records.o")]
#[case("update tasks@pid=42 default")]
fn a_command_about_a_name_that_asks_says_why_it_fails(#[case] command: &str) {
    let tree = tree();
    let failed = tree.ctl(command).unwrap_err();
    assert!(
        failed.starts_with("EINVAL: 'tasks@pid=42' asks a table"),
        "{failed}"
    );
    assert_eq!(tree.held(), 0);
}

#[test]
fn a_pin_of_a_name_that_asks_is_made_and_removed_by_the_name() {
    let tree = tree();
    let pinned = tree.ctl("pin tasks@pid=42");
    assert_eq!(
        pinned.as_deref(),
        Ok("pinned tasks@pid=42 at /bpffs/tasks@pid=42")
    );
    assert_eq!(tree.held(), 0);
    tree.ctl("unpin tasks@pid=42").unwrap();
    assert!(tree.fake.state().pins.is_empty());
}
