//! The configuration and the directory of programs, read again.

use super::fixture::*;
use crate::mount::options::Options;
use parking_lot::Mutex;
use rstest::rstest;
use std::fs;
use std::sync::Arc;
use tempfile::{NamedTempFile, TempDir};

fn configured(text: &str) -> (Options, NamedTempFile) {
    let config = NamedTempFile::new().unwrap();
    fs::write(config.path(), text).unwrap();
    let mut options = options();
    options.config = Some(config.path().into());
    (options, config)
}

#[test]
fn a_rule_lets_others_in_and_a_reload_takes_that_back() {
    let (options, config) = configured("[[allow]]\npath = \"net/*\"\nmode = \"444\"\n");
    let tree = tree_with(&options);
    let alice = tree.as_thread(ALICE);
    assert!(alice.read("net/tcp").is_ok());
    assert_eq!(errno(alice.read("tasks")), "EACCES");
    fs::write(config.path(), "").unwrap();
    assert!(alice.read("net/tcp").is_ok());
    tree.ctl("reload").unwrap();
    assert_eq!(errno(alice.read("net/tcp")), "EACCES");
}

#[rstest]
#[case("pid/*/files", "pid/42/files", "pid/42/vmas")]
#[case("netns/*/tcp", "netns/4026532900/tcp", "net/tcp")]
#[case(
    "cgroup/*/cgroup.self",
    "cgroup/cgroup.self",
    "cgroup/cgroup.descendants"
)]
#[case("bpf/map/*/elements", "bpf/map/3/elements", "bpf/maps")]
#[case("summary/tcp_*", "summary/tcp_by_state", "summary/tasks_by_state")]
fn a_rule_is_compared_with_the_general_path(
    #[case] pattern: &str,
    #[case] open: &str,
    #[case] shut: &str,
) {
    let (options, _config) = configured(&format!(
        "[[allow]]\npath = \"{pattern}\"\nmode = \"444\"\n"
    ));
    let tree = tree_with(&options);
    let alice = tree.as_thread(ALICE);
    let read = |path| alice.open_node(tree.root().find(path).unwrap());
    assert!(read(open).is_ok(), "{open}");
    assert!(read(shut).is_err(), "{shut}");
}

#[test]
fn a_configuration_that_cannot_be_taken_changes_nothing() {
    let (options, config) = configured("others = \"own\"\n");
    let tree = tree_with(&options);
    fs::write(
        config.path(),
        "others = \"none\"\n[[allow]]\npath = \"nothing\"\n",
    )
    .unwrap();
    let failed = tree.ctl("reload").expect_err("a failure");
    assert!(
        failed.starts_with("EINVAL: ") && failed.contains(":3: "),
        "{failed}"
    );
    assert!(tree.as_thread(ALICE).read("tasks").is_ok());
}

#[test]
fn a_configuration_that_cannot_be_taken_keeps_the_mount_from_being_made() {
    let (options, _config) = configured("unknown = 1\n");
    let refused = try_tree_with(&options).map(drop);
    assert_eq!(errno(refused), "EINVAL");
}

#[test]
fn a_reload_has_the_kernel_forget_attributes() {
    let tree = tree();
    let forgotten = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&forgotten);
    tree.operations
        .on_change(move |node| noted.lock().push(node));
    tree.ctl("reload").unwrap();
    let forgotten = forgotten.lock();
    for path in ["tasks", "net/tcp.csv", "pid", "summary/tasks_by_state"] {
        let node = tree.root().find(path).unwrap();
        assert!(forgotten.contains(&node), "{path}");
    }
}

/// A directory of programs, and a tree that shows it. The fake machine knows objects by
/// their paths.
fn with_programs(objects: &[&str]) -> (Tree, TempDir) {
    let directory = TempDir::new().unwrap();
    for object in objects {
        fs::write(directory.path().join(object), "").unwrap();
    }
    let mut options = options();
    options.programs = Some(directory.path().into());
    (tree_with(&options), directory)
}

fn teach(tree: &Tree, directory: &TempDir, object: &str) {
    let path = directory.path().join(object);
    let known = super::fake::Object::Records("task");
    tree.fake.state().objects.insert(path, known);
}

#[test]
fn a_reload_loads_what_is_new_and_unloads_what_is_gone() {
    let (tree, directory) = with_programs(&[]);
    fs::write(directory.path().join("mine.bpf.o"), "").unwrap();
    teach(&tree, &directory, "mine.bpf.o");
    assert_eq!(tree.ctl("reload").as_deref(), Ok("reloaded: 1 change"));
    assert!(tree.root().find("user/mine").is_ok());
    assert_eq!(tree.ctl("reload").as_deref(), Ok("reloaded: 0 changes"));
    fs::remove_file(directory.path().join("mine.bpf.o")).unwrap();
    assert_eq!(tree.ctl("reload").as_deref(), Ok("reloaded: 1 change"));
    assert_eq!(errno(tree.root().find("user/mine")), "ENOENT");
}

#[test]
fn every_object_that_is_refused_is_told_and_the_others_load() {
    let (tree, directory) = with_programs(&["bad.o", "worse.o"]);
    let report = tree.root().read("ctl").unwrap();
    assert!(
        report.contains("bad.o") && report.contains("worse.o"),
        "{report}"
    );
    fs::write(directory.path().join("good.o"), "").unwrap();
    teach(&tree, &directory, "good.o");
    let failed = tree.ctl("reload").expect_err("failures");
    assert!(failed.contains("2 failures: "), "{failed}");
    assert!(tree.root().find("user/good").is_ok());
}

#[test]
fn two_objects_of_one_name_are_told_apart_by_a_failure() {
    let (tree, directory) = with_programs(&[]);
    for object in ["mine.o", "mine.bpf.o"] {
        fs::write(directory.path().join(object), "").unwrap();
        teach(&tree, &directory, object);
    }
    let failed = tree.ctl("reload").expect_err("a failure");
    assert!(
        failed.contains("two objects claim the name user/mine"),
        "{failed}"
    );
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(directory.path(), open).unwrap();
    let mut options = options();
    options.programs = Some(directory.path().into());
    let refused = try_tree_with(&options).map(drop);
    assert_eq!(errno(refused), "EPERM");
}
