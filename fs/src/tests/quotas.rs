//! The limits of a user.

use super::fixture::*;
use iterfs_mapping::Node;
use rstest::rstest;

/// A tree whose users may have two files open.
fn tree_of_two() -> (Tree, tempfile::NamedTempFile) {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[quota]\nhandles = 2\n").unwrap();
    let mut options = options();
    options.config = Some(config.path().into());
    (tree_with(&options), config)
}

#[test]
fn a_user_past_its_quota_is_refused_and_nobody_else() {
    let (tree, _config) = tree_of_two();
    let member = tree.as_thread(MEMBER);
    let first = member.open("tasks").unwrap();
    member.open("files").unwrap();
    assert_eq!(errno(member.open("vmas")), "EMFILE");
    assert!(tree.root().open("vmas").is_ok());
    tree.operations.release(first);
    assert!(member.open("vmas").is_ok());
}

#[test]
fn an_open_directory_counts_like_an_open_file() {
    let (tree, _config) = tree_of_two();
    let member = tree.as_thread(MEMBER);
    let node = member.find("pid").unwrap();
    let requester = member.requester();
    tree.operations.open_directory(&requester, node).unwrap();
    member.open("tasks").unwrap();
    assert_eq!(errno(member.open("vmas")), "EMFILE");
}

#[test]
fn root_of_the_host_has_no_quota() {
    let (tree, _config) = tree_of_two();
    for _ in 0..20 {
        tree.root().open("tasks").unwrap();
    }
}

#[test]
fn root_of_a_container_has_a_quota_of_its_own() {
    let (tree, _config) = tree_of_two();
    let contained = tree.as_thread(CONTAINED_ROOT);
    contained.open("tasks").unwrap();
    contained.open("tasks").unwrap();
    assert_eq!(errno(contained.open("tasks")), "EMFILE");
}

#[test]
fn an_open_that_fails_keeps_no_seat() {
    let (tree, _config) = tree_of_two();
    let member = tree.as_thread(MEMBER);
    for _ in 0..5 {
        tree.fake.state().broken = Some(libc::ENOMEM);
        assert_eq!(errno(member.open("tasks")), "ENOMEM");
    }
    member.open("tasks").unwrap();
    member.open("tasks").unwrap();
}

#[test]
fn a_listing_counts_against_the_bytes_of_its_user() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[quota]\nbytes = 100\n").unwrap();
    let mut options = options();
    options.config = Some(config.path().into());
    let tree = tree_with(&options);
    let member = tree.as_thread(MEMBER);
    let node = member.find("pid").unwrap();
    let requester = member.requester();
    let list = || {
        let handle = tree.operations.open_directory(&requester, node)?;
        let listed = tree.operations.list(&requester, handle, node, 0);
        listed.map(|_| handle)
    };
    // A listing is taken whole while there are bytes left.
    let first = list().unwrap();
    assert_eq!(errno(list()), "ENOMEM");
    assert!(tree.root().list("pid").is_ok());
    tree.operations.release(first);
    assert!(list().is_ok());
}

#[rstest]
#[case("tasks")]
#[case("net/tcp.json")]
fn a_handle_is_given_back_when_it_is_released(#[case] path: &str) {
    let (tree, _config) = tree_of_two();
    let member = tree.as_thread(MEMBER);
    for _ in 0..50 {
        assert!(member.read(path).is_ok());
    }
    let node = member.find(path).unwrap();
    assert!(matches!(node, Node::File(_)));
}
