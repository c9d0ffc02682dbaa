//! The file operations, plainly: no FUSE here, and no kernel but through [`Tables`].

use crate::error::{Failure, Result};
use crate::handles::{Entry, Handle, Handles};
use crate::live;
use crate::policy::{Policy, Requester};
use crate::stream::{Answer, Pool, Stream};
use iterfs_bpf::caller::INITIAL_PID_NAMESPACE;
use iterfs_bpf::{Caller, Tables};
use iterfs_mapping::{Directory, Node, Scope, TableId};
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long the kernel may keep what does not depend on who asks.
const STABLE: Duration = Duration::from_secs(3600);

/// A mounted tree.
pub struct Operations {
    tables: Box<dyn Tables>,
    policy: Policy,
    handles: Handles,
    pool: Arc<Pool>,
    mounted: SystemTime,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    /// Which node.
    pub node: Node,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permission bits.
    pub mode: u16,
    /// All its times: when the tree was mounted.
    pub time: SystemTime,
    /// How long this may be believed.
    pub lifetime: Duration,
}

impl Operations {
    /// A tree over some tables, read as the policy allows; `pool` reads ahead.
    pub fn new(tables: Box<dyn Tables>, policy: Policy, pool: Arc<Pool>) -> Operations {
        Operations {
            tables,
            policy,
            handles: Handles::default(),
            pool,
            mounted: SystemTime::now(),
        }
    }

    /// Finds a name in a directory.
    pub fn lookup(&self, requester: &Requester, parent: Node, name: &OsStr) -> Result<Attributes> {
        let Node::Directory(directory) = parent else {
            return Err(Failure::NotADirectory);
        };
        let node = match name.to_str().and_then(|name| directory.child(name)) {
            Some(node) => node,
            None => live::find(&*self.tables, directory, name)?
                .map(Node::Directory)
                .ok_or(Failure::NotFound)?,
        };
        self.check_shown(requester, node)?;
        Ok(self.attributes(node))
    }

    /// What is known of a node that was looked up before.
    pub fn attributes(&self, node: Node) -> Attributes {
        let policy = self.policy_of(node);
        let (directory, mode) = match node {
            Node::Directory(directory) => (directory, policy.directory_mode()),
            Node::File(file) => (file.directory, policy.mode),
        };
        let lifetime = match directory {
            // There for everyone and always.
            Directory::Root | Directory::Processes | Directory::Net | Directory::Summary => STABLE,
            // There for some callers, or for some time.
            Directory::Process(_)
            | Directory::Bpf
            | Directory::Maps
            | Directory::Map(_)
            | Directory::Cgroup(_)
            | Directory::Kernel => Duration::ZERO,
        };
        Attributes {
            node,
            uid: policy.uid,
            gid: policy.gid,
            mode,
            time: self.mounted,
            lifetime,
        }
    }

    fn policy_of(&self, node: Node) -> Policy {
        match node {
            Node::Directory(_) => self.policy,
            Node::File(file) => self.policy.for_audience(file.table.table().audience),
        }
    }

    /// Opens a table; the handle's number is for [`Operations::read`].
    pub fn open(&self, requester: &Requester, node: Node, access: Access) -> Result<u64> {
        let Node::File(file) = node else {
            return Err(Failure::IsADirectory);
        };
        if access == Access::Write {
            // As in /proc, root gets a descriptor that every write fails on.
            return Ok(self.handles.insert(Handle::WriteOnly));
        }
        if !self.policy_of(node).may_read(requester) {
            return Err(Failure::Denied);
        }
        self.check_shown(requester, node)?;
        let caller = Caller::from_request(requester.tid)?;
        let pass = self
            .tables
            .open(file.instance(), &caller)
            .inspect_err(|error| {
                tracing::error!(path = file.path(), "cannot be opened: {error}");
            })?;
        let stream = Stream::new(pass, file.format, Arc::clone(&self.pool));
        Ok(self.handles.insert(Handle::Table(Arc::new(stream))))
    }

    /// Reads an open table, now or when it has bytes.
    pub fn read(&self, handle: u64, offset: u64, size: usize, answer: Answer) {
        match self.handles.table(handle) {
            Some(stream) => stream.read(offset, size, answer),
            None => answer(Err(Failure::BadHandle)),
        }
    }

    /// Closes a handle of either kind.
    pub fn release(&self, handle: u64) {
        self.handles.remove(handle);
    }

    /// Opens a directory; the handle's number is for [`Operations::list`].
    pub fn open_directory(&self, node: Node) -> Result<u64> {
        match node {
            Node::Directory(_) => Ok(self.handles.insert(Handle::Directory(None))),
            Node::File(_) => Err(Failure::NotADirectory),
        }
    }

    /// The entries of an open directory. Its first reading decides what they
    /// are; reading from the start again looks again.
    pub fn list(
        &self,
        requester: &Requester,
        handle: u64,
        node: Node,
        offset: u64,
    ) -> Result<Arc<[Entry]>> {
        let Node::Directory(directory) = node else {
            return Err(Failure::NotADirectory);
        };
        if offset > 0
            && let Some(entries) = self.handles.entries(handle)
        {
            return Ok(entries);
        }
        let entries: Arc<[Entry]> = self.entries(requester, directory)?.into();
        self.handles.set_entries(handle, Arc::clone(&entries));
        Ok(entries)
    }

    fn entries(&self, requester: &Requester, directory: Directory) -> Result<Vec<Entry>> {
        let entry = |name: &OsStr, node| Entry {
            name: name.into(),
            node,
        };
        let mut entries = vec![
            entry(".".as_ref(), Node::Directory(directory)),
            entry("..".as_ref(), Node::Directory(directory.parent())),
        ];
        for child in directory.directories() {
            let node = Node::Directory(child);
            if self.is_shown(requester, node)? {
                entries.push(entry(child.name().as_ref(), node));
            }
        }
        let caller = Caller::from_request(requester.tid)?;
        for table in live::tables_in(&*self.tables, &caller, directory)? {
            for file in directory.files_of(table) {
                entries.push(entry(file.name().as_ref(), Node::File(file)));
            }
        }
        for (name, child) in live::list(&*self.tables, &caller, directory)? {
            entries.push(entry(&name, Node::Directory(child)));
        }
        Ok(entries)
    }

    fn check_shown(&self, requester: &Requester, node: Node) -> Result<()> {
        if self.is_shown(requester, node)? {
            Ok(())
        } else {
            Err(Failure::NotFound)
        }
    }

    /// Whether the caller's tree has the node now: the one rule for what is
    /// listed, found and opened.
    fn is_shown(&self, requester: &Requester, node: Node) -> Result<bool> {
        let directory = node.directory();
        let caller = Caller::from_request(requester.tid)?;
        if directory.scope() == Some(Scope::Host)
            && caller.pid_namespace()? != INITIAL_PID_NAMESPACE
        {
            return Ok(false);
        }
        if !live::exists(&*self.tables, &caller, directory)? {
            return Ok(false);
        }
        match node {
            Node::Directory(directory) => Ok(self.has_purpose(directory)),
            Node::File(file) => {
                Ok(live::tables_in(&*self.tables, &caller, directory)?.contains(&file.table))
            }
        }
    }

    /// Whether the kernel has any of the tables a directory is there for.
    fn has_purpose(&self, directory: Directory) -> bool {
        let place = directory.purpose();
        TableId::all().any(|id| id.table().places.contains(&place) && self.tables.present(id))
    }
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// To read, or to read and write.
    Read,
    /// To write alone.
    Write,
}
