//! The rights of callers to read tables.

use super::fixture::*;
use crate::access::policy::Others;
use crate::operations::Wanted;
use rstest::rstest;

#[rstest]
#[case::root(ROOT, true)]
#[case::member_of_the_group(MEMBER, true)]
#[case::another_user(ALICE, false)]
#[case::root_of_a_container(CONTAINED_ROOT, true)]
#[case::user_of_a_container(CONTAINED_ALICE, false)]
fn the_mode_of_the_mount_decides(#[case] thread: u32, #[case] may_read: bool) {
    let tree = tree();
    let who = tree.as_thread(thread);
    for path in ["tasks", "net/tcp.json", "summary/tasks_by_state"] {
        match may_read {
            true => assert!(who.read(path).is_ok(), "{path}"),
            false => assert_eq!(errno(who.read(path)), "EACCES", "{path}"),
        }
    }
}

#[rstest]
#[case("kernel/ksyms")]
#[case("bpf/map/3/elements")]
fn contents_of_maps_and_kernel_symbols_are_for_root_alone(#[case] path: &str) {
    let tree = tree();
    assert!(tree.root().read(path).is_ok());
    let refused = errno(tree.as_thread(MEMBER).read(path));
    assert!(["EACCES", "ENOENT"].contains(&&*refused), "{refused}");
}

#[rstest]
#[case("tasks", 0o440, READERS)]
#[case("kernel/ksyms", 0o400, 0)]
#[case("ctl", 0o600, 0)]
#[case("ctl.json", 0o400, 0)]
#[case("pid", 0o550, READERS)]
#[case("netns/blue", 0o777, READERS)]
fn attributes_show_the_policy(#[case] path: &str, #[case] mode: u16, #[case] gid: u32) {
    let tree = tree();
    let found = tree.root().stat(path).unwrap();
    assert_eq!((found.mode, found.uid, found.gid), (mode, 0, gid));
}

fn own() -> Tree {
    let mut options = options();
    options.others = Some(Others::Own);
    tree_with(&options)
}

#[rstest]
#[case::alice(ALICE, "tasks", &["42", "71"])]
#[case::bob(BOB, "processes", &["43"])]
#[case::alice_in_a_container(CONTAINED_ALICE, "files", &["2"])]
#[case::root(ROOT, "tasks", &["1", "42", "43", "70", "71"])]
#[case::member(MEMBER, "tasks", &["1", "42", "43", "70", "71"])]
fn others_see_their_own_processes(#[case] thread: u32, #[case] path: &str, #[case] pids: &[&str]) {
    let tree = own();
    let text = tree.as_thread(thread).read(path).unwrap();
    let rows = text.lines().skip(1);
    let found: Vec<_> = rows
        .filter_map(|row| row.split_whitespace().next())
        .collect();
    assert_eq!(found, pids);
}

#[rstest]
#[case("net/tcp")]
#[case("bpf/maps")]
#[case("netns/4026532900/sockets")]
#[case("kernel/slabs")]
fn a_table_without_owners_shows_others_nothing(#[case] path: &str) {
    let tree = own();
    let refused = errno(tree.as_thread(ALICE).read(path));
    assert!(["EACCES", "ENOENT"].contains(&&*refused), "{refused}");
}

#[test]
fn others_find_the_directories_of_their_own_processes_alone() {
    let tree = own();
    let alice = tree.as_thread(ALICE);
    assert_eq!(alice.list("pid").unwrap(), ["42", "71"]);
    assert!(alice.read("pid/42/files").is_ok());
    assert_eq!(errno(alice.find("pid/43")), "ENOENT");
    assert_eq!(tree.root().stat("tasks").unwrap().mode, 0o444);
}

#[test]
fn a_setuid_root_program_does_not_make_its_user_root() {
    // The user acts as root's helper: real user 0 with another effective one.
    let tree = own();
    tree.fake.know(77, 0, &[]);
    let mut helper = tree.as_thread(77);
    helper.sender.uid = ALICE;
    helper.sender.gid = ALICE;
    assert_eq!(errno(helper.read("tasks")), "EACCES");
}

#[test]
fn a_thread_that_cannot_be_identified_is_shown_nothing() {
    let tree = tree();
    let stranger = tree.as_thread(0);
    assert_eq!(errno(stranger.find("tasks")), "EACCES");
    assert_eq!(errno(stranger.list("")), "EACCES");
}

#[rstest]
#[case::member(MEMBER, "EACCES")]
#[case::alice(ALICE, "EACCES")]
#[case::contained_root(CONTAINED_ROOT, "ENOENT")]
fn the_control_file_is_for_root_of_the_host(#[case] thread: u32, #[case] expected: &str) {
    let tree = tree();
    let node = tree.root().find("ctl").unwrap();
    assert_eq!(errno(tree.as_thread(thread).open_node(node)), expected);
}

#[test]
fn a_command_is_checked_against_its_writer_not_the_opener() {
    let tree = tree();
    let handle = tree.root().open("ctl").unwrap();
    let handed_on = tree.as_thread(MEMBER).write(handle, 0, b"reload");
    assert_eq!(errno(handed_on), "EACCES");
    assert!(tree.root().write(handle, 0, b"reload").is_ok());
}

#[test]
fn root_gets_a_descriptor_for_writing_that_every_write_fails_on() {
    let tree = tree();
    let root = tree.root();
    let node = root.find("tasks").unwrap();
    let opened = tree
        .operations
        .open(&root.requester(), node, Wanted::Write)
        .unwrap();
    assert_eq!(errno(root.write(opened, 0, b"x")), "EIO");
    assert_eq!(errno(root.read_at(opened, 0)), "EBADF");
}

#[test]
fn a_node_that_was_not_found_by_its_caller_is_refused_all_the_same() {
    let tree = tree();
    let root = tree.root();
    let contained = tree.as_thread(CONTAINED_ROOT);
    for path in [
        "kernel/slabs",
        "cgroup/system.slice/cgroup.self",
        "bpf",
        "pid/42/files",
    ] {
        let node = root.find(path).unwrap();
        let requester = contained.requester();
        let attributes = tree.operations.attributes(&requester, node);
        assert_eq!(
            errno(attributes.map(|found| found.mode)),
            "ENOENT",
            "{path}"
        );
        let statistics = tree.operations.statistics(&requester, node);
        assert_eq!(errno(statistics), "ENOENT", "{path}");
    }
}

#[test]
fn a_holder_of_a_descriptor_may_ask_for_its_attributes() {
    let tree = tree();
    let node = tree.root().find("kernel/slabs").unwrap();
    let contained = tree.as_thread(CONTAINED_ROOT);
    contained.holds(node);
    let attributes = tree.operations.attributes(&contained.requester(), node);
    assert_eq!(attributes.unwrap().mode, 0o440);
    assert_eq!(errno(contained.open_node(node)), "ENOENT");
}
