//! The contents of an opened file, and the cost of opening it.

use super::fixture::*;
use rstest::rstest;
use std::sync::atomic::Ordering;

#[rstest]
#[case("pid/42/tasks", "    pid     uid\n     42    1001\n")]
#[case("pid/42/tasks.csv", "pid,uid\r\n42,1001\r\n")]
#[case("pid/42/tasks.json", "[\n{\"pid\":42,\"uid\":1001}\n]\n")]
#[case("pid/42/tasks.jsonl", "{\"pid\":42,\"uid\":1001}\n")]
#[case("bpf/map/3/elements.csv", "pid,uid\r\n3,0\r\n")]
#[case("netns/4026532900/tcp.csv", "pid,uid\r\n4026532900,0\r\n")]
#[case("cgroup/system.slice/cgroup.self.csv", "pid,uid\r\n10,0\r\n")]
#[case("net/tcp.csv", "pid,uid\r\n4026531840,0\r\n")]
fn a_path_names_a_table_its_part_and_its_format(#[case] path: &str, #[case] bytes: &str) {
    let tree = tree();
    let read = tree.root().read(path).unwrap();
    let squeezed = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.collect::<Vec<_>>().concat().join(" ")
    };
    match path.contains('.') {
        // Widths of text are the formats' own affair.
        false => assert_eq!(squeezed(&read), squeezed(bytes)),
        true => assert_eq!(read, bytes),
    }
}

#[test]
fn a_container_reads_its_own_net_namespace() {
    let tree = tree();
    let read = tree.as_thread(CONTAINED_ROOT).read("net/tcp.csv").unwrap();
    assert_eq!(read, "pid,uid\r\n4026532701,0\r\n");
}

#[test]
fn one_look_at_a_process_serves_a_whole_path() {
    let tree = tree();
    let root = tree.root();
    // Other tests may keep the processors from this one for longer than a look serves.
    let looks = (0..20).map(|_| {
        let before = tree.fake.looks.load(Ordering::Relaxed);
        root.read("pid/42/files.json").unwrap();
        tree.fake.looks.load(Ordering::Relaxed) - before
    });
    assert_eq!(looks.min(), Some(1));
}

#[test]
fn an_open_below_a_map_asks_for_the_maps_once() {
    let tree = tree();
    let node = tree.root().find("bpf/map/3/elements").unwrap();
    let before = tree.fake.passes_over_maps.load(Ordering::Relaxed);
    tree.root().open_node(node).unwrap();
    let passes = tree.fake.passes_over_maps.load(Ordering::Relaxed) - before;
    assert_eq!(passes, 1);
}

#[test]
fn a_caller_is_identified_once_in_each_request() {
    let tree = tree();
    let before = tree.fake.identified.load(Ordering::Relaxed);
    tree.as_thread(MEMBER).open("pid/42/files.json").unwrap();
    let requests = ["pid", "42", "files.json", "open"].len();
    let identified = tree.fake.identified.load(Ordering::Relaxed) - before;
    assert_eq!(identified, requests);
}

#[test]
fn a_read_of_an_open_table_asks_nothing_about_its_reader() {
    let tree = tree();
    let handle = tree.root().open("tasks").unwrap();
    let before = tree.fake.identified.load(Ordering::Relaxed);
    tree.root().read_handle(handle).unwrap();
    assert_eq!(tree.fake.identified.load(Ordering::Relaxed), before);
}

#[test]
fn a_later_process_of_the_same_number_is_not_shown() {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("pid/43/tasks.csv").unwrap();
    tree.fake.end(43);
    tree.fake.run(43, ALICE);
    if let Some(later) = tree.fake.state().processes.last_mut() {
        later.started += 1;
    }
    // The open pass is of the process that was there.
    assert!(root.read_handle(handle).unwrap().contains("43,1002"));
    // A new path finds the new one.
    assert!(root.read("pid/43/tasks.csv").unwrap().contains("43,1001"));
}

#[test]
fn an_open_fails_with_the_kernels_errno_and_is_counted() {
    let tree = tree();
    tree.fake.state().broken = Some(libc::ENOMEM);
    assert_eq!(errno(tree.root().open("tasks")), "ENOMEM");
    assert!(tree.root().open("tasks").is_ok());
    let report = tree.root().read("ctl").unwrap();
    assert!(report.contains("# tasks: the pass failed"), "{report}");
}

#[test]
fn a_handle_that_is_not_open_cannot_be_read() {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("tasks").unwrap();
    tree.operations.release(handle);
    assert_eq!(errno(root.read_at(handle, 0)), "EBADF");
}

#[test]
fn a_read_further_on_than_the_rows_is_the_end() {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("tasks").unwrap();
    let length = root.read_handle(handle).unwrap().len() as u64;
    assert!(root.read_at(handle, length).unwrap().is_empty());
}

#[test]
fn an_asynchronous_reader_that_begins_again_is_refused() {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("tasks").unwrap();
    assert!(!root.read_at(handle, 0).unwrap().is_empty());
    assert!(!root.read_at(handle, 0).unwrap().is_empty());
    tree.fake.state().asynchronous.insert(ROOT);
    assert_eq!(errno(root.read_at(handle, 0)), "ESPIPE");
}
