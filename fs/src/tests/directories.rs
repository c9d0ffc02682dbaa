//! The listings of directories, by caller.

use super::fixture::*;
use iterfs_mapping::{Directory, Node};
use rstest::rstest;

#[rstest]
#[case("", &["tasks", "processes.json", "pid", "net", "netns", "bpf", "cgroup", "kernel", "summary", "user", "ctl", "ctl.json"])]
#[case("pid", &["1", "42", "43", "70", "71"])]
#[case("pid/42", &["tasks", "files.csv", "vmas.jsonl", "sockets"])]
#[case("net", &["tcp", "udp", "unix", "netlink", "ipv6_route", "sockets"])]
#[case("netns", &["4026531840", "4026532701", "4026532900", "blue"])]
#[case("netns/4026532900", &["tcp", "sockets.json"])]
#[case("bpf", &["maps", "progs", "links", "map"])]
#[case("bpf/map", &["3"])]
#[case("bpf/map/3", &["elements", "elements.csv"])]
#[case("cgroup", &["cgroup.self", "cgroup.descendants", "system.slice", "cgroup.d"])]
#[case("cgroup/system.slice", &["cgroup.ancestors", "ssh.service"])]
#[case("kernel", &["ksyms", "slabs", "dmabufs"])]
#[case("summary", &["fds_by_process", "tcp_by_state.json"])]
fn root_of_the_host_lists_everything(#[case] directory: &str, #[case] names: &[&str]) {
    let tree = tree();
    let listed = tree.root().list(directory).unwrap();
    for name in names {
        assert!(
            listed.iter().any(|found| found == name),
            "{name}: {listed:?}"
        );
    }
}

#[rstest]
#[case::host_root(ROOT)]
#[case::member(MEMBER)]
#[case::contained_root(CONTAINED_ROOT)]
fn every_listed_name_is_found_and_every_listed_table_opens(#[case] thread: u32) {
    let tree = tree();
    let who = tree.as_thread(thread);
    let mut directories = vec![String::new()];
    let mut tables = 0;
    while let Some(directory) = directories.pop() {
        // A directory for tables of root's is listed for everybody, as in /proc.
        let names = match who.list(&directory) {
            Err(failure) if failure.errno_name() == "EACCES" => continue,
            names => names.unwrap(),
        };
        for name in names {
            let path = format!("{directory}/{name}");
            let found = who
                .find(&path)
                .unwrap_or_else(|failure| panic!("{path}: {failure}"));
            match found {
                Node::Directory(_) => directories.push(path),
                Node::File(_) | Node::User(_) => {
                    // And so is such a table.
                    match who.read(&path) {
                        Ok(text) => assert!(!text.is_empty(), "{path}"),
                        Err(failure) => assert_eq!(failure.errno_name(), "EACCES", "{path}"),
                    }
                    tables += 1;
                }
                Node::Asking(_) => panic!("{path} is listed"),
                Node::Control(_) | Node::NetNamespaceName(_) => {}
            }
        }
    }
    assert!(tables >= 100, "{tables} tables");
}

#[rstest]
#[case("tasks", true)]
#[case("pid", true)]
#[case("net", true)]
#[case("summary", true)]
#[case("user", true)]
#[case("netns", false)]
#[case("bpf", false)]
#[case("cgroup", false)]
#[case("kernel", false)]
#[case("ctl", false)]
#[case("ctl.json", false)]
fn a_container_has_the_part_of_the_tree_that_its_namespaces_show(
    #[case] name: &str,
    #[case] is_there: bool,
) {
    let tree = tree();
    let contained = tree.as_thread(CONTAINED_ROOT);
    let listed = contained.list("").unwrap();
    assert_eq!(listed.iter().any(|found| found == name), is_there);
    match is_there {
        true => assert!(contained.find(name).is_ok()),
        false => assert_eq!(errno(contained.find(name)), "ENOENT"),
    }
}

#[test]
fn a_container_lists_its_own_processes_under_its_own_numbers() {
    let tree = tree();
    assert_eq!(
        tree.as_thread(CONTAINED_ROOT).list("pid").unwrap(),
        ["1", "2"]
    );
}

#[rstest]
#[case("nothing")]
#[case("pid/99")]
#[case("pid/042")]
#[case("pid/42/net")]
#[case("bpf/map/4")]
#[case("bpf/map/5")]
#[case("bpf/map/3/sockmap")]
#[case("netns/7")]
#[case("netns/green")]
#[case("cgroup/none")]
#[case("cgroup/system.slice/none")]
#[case("user/none")]
#[case("tasks.xml")]
fn a_name_that_stands_for_nothing_is_enoent(#[case] path: &str) {
    let tree = tree();
    assert_eq!(errno(tree.root().find(path)), "ENOENT");
}

#[test]
fn a_file_has_no_names_below_it() {
    let tree = tree();
    assert_eq!(errno(tree.root().find("tasks/x")), "ENOTDIR");
}

#[test]
fn a_target_that_the_kernel_lacks_is_not_in_the_tree() {
    let tree = tree();
    tree.fake.state().lacking.extend(["kmem_cache", "cgroup"]);
    let root = tree.root();
    assert_eq!(errno(root.find("kernel/slabs")), "ENOENT");
    assert!(!root.list("kernel").unwrap().contains(&"slabs".into()));
    // A directory for nothing but tables of that target goes with it.
    assert_eq!(errno(root.find("cgroup")), "ENOENT");
    assert!(!root.list("").unwrap().contains(&"cgroup".into()));
    assert!(root.find("kernel/ksyms").is_ok());
}

#[test]
fn a_process_that_ends_takes_its_directory_along() {
    let tree = tree();
    assert!(tree.root().find("pid/43").is_ok());
    tree.fake.end(43);
    assert_eq!(errno(tree.root().find("pid/43")), "ENOENT");
    assert!(!tree.root().list("pid").unwrap().contains(&"43".into()));
}

#[test]
fn a_net_namespace_is_found_by_its_name_too() {
    let tree = tree();
    let root = tree.root();
    let name = root.find("netns/blue").unwrap();
    let target = tree.operations.link_target(&root.requester(), name);
    assert_eq!(target.unwrap(), "4026532900");
    let table = root.find("netns/4026532900/tcp").unwrap();
    let refused = tree.operations.link_target(&root.requester(), table);
    assert_eq!(errno(refused), "EINVAL");
}

#[test]
fn a_name_that_is_a_number_hides_no_namespace() {
    let tree = tree();
    tree.fake
        .state()
        .net_names
        .push(("4026531840".into(), 4_026_532_900));
    let listed = tree.root().list("netns").unwrap();
    let same = listed.iter().filter(|name| *name == "4026531840").count();
    assert_eq!(same, 1, "{listed:?}");
    let found = tree.root().find("netns/4026531840").unwrap();
    assert_eq!(
        found,
        Node::Directory(Directory::NetNamespace(4_026_531_840))
    );
}

#[test]
fn a_listing_goes_on_with_the_entries_that_its_first_reading_found() {
    let tree = tree();
    let root = tree.root();
    let node = root.find("pid").unwrap();
    let requester = root.requester();
    let handle = tree.operations.open_directory(&requester, node).unwrap();
    let list = |offset| {
        tree.operations
            .list(&requester, handle, node, offset)
            .unwrap()
    };
    let first = list(0).len();
    tree.fake.run(99, ALICE);
    assert_eq!(list(3).len(), first);
    assert_eq!(list(0).len(), first + 1);
}

#[test]
fn a_directory_that_was_handed_on_lists_nothing_new() {
    let tree = tree();
    let root = tree.root();
    let node = root.find("pid").unwrap();
    let handle = tree
        .operations
        .open_directory(&root.requester(), node)
        .unwrap();
    let contained = tree.as_thread(CONTAINED_ROOT).requester();
    let unread = tree.operations.list(&contained, handle, node, 0);
    assert_eq!(errno(unread), "EACCES");
    let read = tree
        .operations
        .list(&root.requester(), handle, node, 0)
        .unwrap();
    tree.fake.run(99, ALICE);
    let handed_on = tree.operations.list(&contained, handle, node, 0).unwrap();
    assert_eq!(handed_on.len(), read.len());
}

#[test]
fn a_directory_cannot_be_opened_as_a_file_nor_a_file_as_a_directory() {
    let tree = tree();
    let root = tree.root();
    assert_eq!(errno(root.open("pid")), "EISDIR");
    let file = root.find("tasks").unwrap();
    let opened = tree.operations.open_directory(&root.requester(), file);
    assert_eq!(errno(opened), "ENOTDIR");
}
