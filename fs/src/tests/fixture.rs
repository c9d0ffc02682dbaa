//! A tree over a fake machine, and callers that use it as a kernel would have them.

use super::fake::{Fake, Object};
use crate::access::requester::{Requester, Sender};
use crate::error::{Failure, Result};
use crate::mount::options::Options;
use crate::operations::{Attributes, Operations, Wanted};
use crate::scheduler::Scheduler;
use crate::tree::inode;
use iterfs_mapping::contract::{Backend, Map};
use iterfs_mapping::path::names;
use iterfs_mapping::{Directory, Node};
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use tempfile::NamedTempFile;

/// Threads of the fake machine that may ask, by what they are.
pub(crate) const ROOT: u32 = 1;
pub(crate) const MEMBER: u32 = 1000;
pub(crate) const ALICE: u32 = 1001;
pub(crate) const BOB: u32 = 1002;
pub(crate) const CONTAINED_ROOT: u32 = 2000;
pub(crate) const CONTAINED_ALICE: u32 = 2001;

/// The group that owns the tree, of which [`MEMBER`] alone is a member.
pub(crate) const READERS: u32 = 500;

/// The bytes that a caller reads at once.
const READ: usize = 4096;

/// The tree.
pub(crate) struct Tree {
    pub(crate) fake: Arc<Fake>,
    pub(crate) operations: Arc<Operations>,
    /// Where no other configuration is named.
    _config: NamedTempFile,
}

/// A machine with processes of root and two users, one of them in a container too, two
/// maps, two net namespaces and three cgroups.
pub(crate) fn machine() -> Arc<Fake> {
    let fake = Fake::default();
    fake.run(1, 0);
    fake.run(42, ALICE);
    fake.run(43, BOB);
    fake.run_contained(70, 0, 1);
    fake.run_contained(71, ALICE, 2);
    fake.know(ROOT, 0, &[]);
    fake.know(MEMBER, MEMBER, &[READERS]);
    fake.know(ALICE, ALICE, &[]);
    fake.know(BOB, BOB, &[]);
    fake.know_contained(CONTAINED_ROOT, 0);
    fake.know_contained(CONTAINED_ALICE, ALICE);
    let map = |id, kind: &str| Map {
        id,
        kind: kind.into(),
    };
    let mut state = fake.state();
    state.maps = vec![map(3, "hash"), map(4, "ringbuf")];
    state
        .net_namespaces
        .extend([super::fake::HOST_NET, 4_026_532_701]);
    state.net_names.push(("blue".into(), 4_026_532_900));
    state.cgroups.insert(10, (0, "system.slice".into()));
    state.cgroups.insert(11, (10, "ssh.service".into()));
    state.cgroups.insert(12, (0, "cgroup.d".into()));
    state
        .objects
        .insert("/records.o".into(), Object::Records("task"));
    state.objects.insert("/text.o".into(), Object::Text("task"));
    state
        .objects
        .insert("/tcp.o".into(), Object::Records("tcp"));
    state
        .objects
        .insert("/refused.o".into(), Object::Refused(libc::EACCES));
    drop(state);
    Arc::new(fake)
}

/// The tree of a machine with the options that are usual.
pub(crate) fn tree() -> Tree {
    tree_with(&options())
}

/// Options by which root and the group [`READERS`] may read.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.policy.gid = READERS;
    options
}

/// The tree of a machine with these options.
pub(crate) fn tree_with(options: &Options) -> Tree {
    try_tree_with(options).expect("options that can be taken")
}

/// The same, unless the options cannot be taken.
pub(crate) fn try_tree_with(options: &Options) -> Result<Tree> {
    let fake = machine();
    let scheduler = Scheduler::new(1).expect("threads");
    let backend: Arc<dyn Backend> = Arc::clone(&fake) as Arc<dyn Backend>;
    // Not the configuration of the machine that the test runs on.
    let empty = NamedTempFile::new().expect("a file");
    let mut options = options.clone();
    options.config.get_or_insert_with(|| empty.path().into());
    let operations = Arc::new(Operations::new(backend, &options, scheduler)?);
    Ok(Tree {
        fake,
        operations,
        _config: empty,
    })
}

impl Tree {
    /// A thread that asks, as the user that it is known by.
    pub(crate) fn as_thread(&self, thread: u32) -> Who<'_> {
        let state = self.fake.state();
        let user = state.callers.get(&thread).map(|known| known.user);
        let user = user.unwrap_or_default();
        Who {
            tree: self,
            sender: Sender {
                thread,
                uid: user.uid,
                gid: user.gid,
            },
        }
    }

    /// Root of the host.
    pub(crate) fn root(&self) -> Who<'_> {
        self.as_thread(ROOT)
    }

    /// The number of names that ask which are held.
    pub(crate) fn held(&self) -> usize {
        self.operations.held()
    }

    /// Gives the control file a command as root, and returns the outcome that is read from
    /// it.
    pub(crate) fn ctl(&self, command: &str) -> std::result::Result<String, String> {
        self.root().ctl(command)
    }
}

/// A caller.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    tree: &'a Tree,
    pub(crate) sender: Sender,
}

impl Who<'_> {
    /// The caller of one request.
    pub(crate) fn requester(self) -> Requester {
        self.tree.operations.identify(self.sender)
    }

    /// Looks a path up, a name and a request at a time.
    pub(crate) fn find(self, path: &str) -> Result<Node> {
        let root = Node::Directory(Directory::Root);
        names(path).try_fold(root, |node, name| Ok(self.lookup(node, name)?.node))
    }

    /// Looks one name up.
    pub(crate) fn lookup(self, parent: Node, name: &str) -> Result<Attributes> {
        let requester = self.requester();
        self.tree
            .operations
            .lookup(&requester, parent, OsStr::new(name))
    }

    /// The attributes of a path.
    pub(crate) fn stat(self, path: &str) -> Result<Attributes> {
        let node = self.find(path)?;
        self.tree.operations.attributes(&self.requester(), node)
    }

    /// Opens a node to read it.
    pub(crate) fn open_node(self, node: Node) -> Result<u64> {
        let requester = self.requester();
        self.tree.operations.open(&requester, node, Wanted::Read)
    }

    /// Opens a path to read it.
    pub(crate) fn open(self, path: &str) -> Result<u64> {
        self.open_node(self.find(path)?)
    }

    /// Reads a path to its end.
    pub(crate) fn read(self, path: &str) -> Result<String> {
        let handle = self.open(path)?;
        let read = self.read_handle(handle);
        self.tree.operations.release(handle);
        read
    }

    /// Reads an open file to its end.
    pub(crate) fn read_handle(self, handle: u64) -> Result<String> {
        let mut text = Vec::new();
        loop {
            let bytes = self.read_at(handle, text.len() as u64)?;
            if bytes.is_empty() {
                return Ok(String::from_utf8(text).expect("text"));
            }
            text.extend(bytes);
        }
    }

    /// Reads once.
    pub(crate) fn read_at(self, handle: u64, offset: u64) -> Result<Vec<u8>> {
        let (sender, outcome) = channel();
        let answer = move |bytes: Result<&[u8]>| {
            let _ = sender.send(bytes.map(<[u8]>::to_vec));
        };
        let operations = &self.tree.operations;
        operations.read(self.sender, handle, offset, READ, Box::new(answer));
        outcome.recv().expect("an answer")
    }

    /// Writes once.
    pub(crate) fn write(self, handle: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        let (sender, outcome) = channel();
        let answer = move |done: Result<&[u8]>| {
            let _ = sender.send(done.map(drop));
        };
        let (requester, operations) = (self.requester(), &self.tree.operations);
        operations.write(&requester, handle, offset, bytes, Box::new(answer));
        outcome.recv().expect("an answer")
    }

    /// Lists a directory.
    pub(crate) fn list(self, path: &str) -> Result<Vec<String>> {
        let node = self.find(path)?;
        let handle = {
            let requester = self.requester();
            self.tree.operations.open_directory(&requester, node)?
        };
        let requester = self.requester();
        let entries = self.tree.operations.list(&requester, handle, node, 0);
        self.tree.operations.release(handle);
        let entries = entries?;
        let named = entries.iter().skip(2).map(|entry| {
            let name = entry.name.to_str().expect("a name in UTF-8");
            name.to_owned()
        });
        Ok(named.collect())
    }

    /// Asks for an explanation of the last name in a path.
    pub(crate) fn explain(self, path: &str) -> Result<String> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = self.find(directory)?;
        let requester = self.requester();
        let operations = &self.tree.operations;
        operations.explain(&requester, directory, OsStr::new(name))
    }

    /// Gives a command, and reads its outcome whether it failed or not.
    pub(crate) fn ctl(self, command: &str) -> std::result::Result<String, String> {
        let told = |failure: Failure| format!("{}: {failure}", failure.errno_name());
        let handle = self.open("ctl").map_err(told)?;
        let written = self.write(handle, 0, command.as_bytes());
        let read = self.read_at(handle, 0).map_err(told);
        self.tree.operations.release(handle);
        let outcome = String::from_utf8(read?).expect("text");
        match written {
            Ok(()) => Ok(outcome.trim_end().to_owned()),
            Err(_) => Err(outcome.trim_end().to_owned()),
        }
    }

    /// Notes that the caller has a file open.
    pub(crate) fn holds(self, node: Node) {
        let held = (self.sender.thread, inode::shown(node));
        self.tree.fake.state().open.insert(held);
    }
}

/// The name of the errno that a failure is told by.
pub(crate) fn errno<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    outcome.expect_err("a failure").errno_name()
}
