//! Files that are made whole when they are looked up.

use super::fixture::*;
use crate::operations::{Attributes, LookupAnswer};
use iterfs_mapping::{Directory, Node};
use std::ffi::OsStr;
use std::sync::mpsc::{Sender, channel};

/// Receives the outcome of a lookup for a caller that waits, or gave up.
struct Answer {
    sender: Sender<crate::error::Result<Attributes>>,
    gave_up: bool,
}

impl LookupAnswer for Answer {
    fn is_abandoned(&self) -> bool {
        self.gave_up
    }

    fn found(self: Box<Self>, found: crate::error::Result<Attributes>) {
        self.sender.send(found).unwrap();
    }
}

fn begin(
    tree: &Tree,
    who: Who<'_>,
    name: &str,
    gave_up: bool,
) -> std::sync::mpsc::Receiver<crate::error::Result<Attributes>> {
    let (sender, outcome) = channel();
    let parent = Node::Directory(Directory::Root);
    let answer = Box::new(Answer { sender, gave_up });
    tree.operations
        .find(&who.requester(), parent, OsStr::new(name), answer);
    outcome
}

fn find(tree: &Tree, who: Who<'_>, name: &str) -> crate::error::Result<Attributes> {
    begin(tree, who, name, false).recv().expect("an answer")
}

#[test]
fn a_whole_file_has_its_size_and_stays_as_it_was_made() {
    let tree = tree();
    let root = tree.root();
    let found = find(&tree, root, "tasks@uid=1001,pid,whole.csv").unwrap();
    let expected = "pid\r\n42\r\n71\r\n";
    assert_eq!(found.size, Some(expected.len() as u64));
    tree.fake.end(71);
    let handle = root.open_node(found.node).unwrap();
    assert!(tree.operations.is_whole(handle));
    assert_eq!(root.read_handle(handle).unwrap(), expected);
    // Anywhere, and again.
    assert_eq!(root.read_at(handle, 5).unwrap(), b"42\r\n71\r\n");
    assert_eq!(root.read_at(handle, 0).unwrap(), expected.as_bytes());
    assert!(root.read_at(handle, 1 << 40).unwrap().is_empty());
    // The bytes stay until the last handle is closed, whatever the kernel forgets.
    tree.operations
        .forget(crate::tree::inode::number(found.node), 1);
    assert_eq!(tree.held(), 0);
    assert_eq!(root.read_handle(handle).unwrap(), expected);
    tree.operations.release(handle);
}

#[test]
fn each_lookup_makes_a_file_of_its_own() {
    let tree = tree();
    let root = tree.root();
    let first = find(&tree, root, "tasks@uid=1001,pid,whole.csv").unwrap();
    tree.fake.end(71);
    let second = find(&tree, root, "tasks@uid=1001,pid,whole.csv").unwrap();
    assert_ne!(first.node, second.node);
    let read = |node| root.read_handle(root.open_node(node).unwrap()).unwrap();
    assert_eq!(read(first.node), "pid\r\n42\r\n71\r\n");
    assert_eq!(read(second.node), "pid\r\n42\r\n");
}

#[test]
fn nobody_who_would_see_other_rows_opens_it() {
    let tree = tree();
    let found = find(&tree, tree.root(), "tasks@pid,whole.csv").unwrap();
    for other in [MEMBER, CONTAINED_ROOT, ALICE] {
        let opened = tree.as_thread(other).open_node(found.node);
        assert_eq!(errno(opened), "EACCES", "{other}");
    }
    assert!(tree.root().open_node(found.node).is_ok());
    let inside = tree.as_thread(CONTAINED_ROOT);
    let found = find(&tree, inside, "tasks@pid,whole.csv").unwrap();
    assert_eq!(errno(tree.root().open_node(found.node)), "EACCES");
    assert!(inside.open_node(found.node).is_ok());
}

#[test]
fn a_file_for_a_caller_that_gave_up_is_not_kept() {
    let tree = tree();
    let outcome = begin(&tree, tree.root(), "tasks@pid,whole.csv", true);
    // The answer is dropped without an outcome.
    assert!(outcome.recv().is_err());
    assert_eq!(tree.held(), 0);
}

#[test]
fn a_file_that_cannot_be_made_has_no_name() {
    let tree = tree();
    tree.fake.state().broken = Some(libc::EIO);
    let found = find(&tree, tree.root(), "tasks@pid,whole.csv");
    assert_eq!(errno(found), "EIO");
    assert_eq!(errno(find(&tree, tree.root(), "tasks@no,whole")), "EINVAL");
    assert_eq!(errno(find(&tree, tree.root(), "none@whole")), "ENOENT");
    assert_eq!(tree.held(), 0);
}
