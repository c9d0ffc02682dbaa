//! The tree as a caller sees it: which nodes exist, and which of them the caller's tree
//! has.
//!
//! Every operation asks here before it answers with names, attributes or bytes. A caller
//! may reach a node without a path: it may hold a descriptor that another process opened
//! with O_PATH, or make a file handle for open_by_handle_at(2). So no operation assumes
//! that a lookup has admitted its caller. Reading an open table is the exception: its
//! handle shows what its opener sees.
//!
//! [`dynamic`] holds the nodes that come and go, [`inode`] their numbers, and [`listing`]
//! an open directory. [`questions`] holds the names that ask. [`sightings`] avoids repeated
//! looks at a process.

mod dynamic;
pub mod inode;
pub(crate) mod listing;
pub(crate) mod questions;
mod sightings;

use crate::access::Access;
use crate::access::requester::Requester;
use crate::error::{Failure, Result};
use iterfs_mapping::contract::{Backend, Process};
use iterfs_mapping::path::{names, plain};
use iterfs_mapping::{
    AskingName, Base, Control, Directory, File, Need, Node, Scope, TableId, View,
};
use listing::Entry;
use questions::Questions;
use sightings::Sightings;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// The nodes, and who may learn of them.
pub(crate) struct Tree {
    backend: Arc<dyn Backend>,
    access: Arc<Access>,
    sightings: Sightings,
    questions: Arc<Questions>,
}

/// A directory that exists now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    /// The process of `pid/<n>`.
    pub(crate) process: Option<Process>,
    /// The tables of `bpf/map/<id>`, which only a pass over the maps tells.
    map_tables: Option<Vec<TableId>>,
}

impl Tree {
    pub(crate) fn new(backend: Arc<dyn Backend>, access: Arc<Access>) -> Tree {
        Tree {
            backend,
            access,
            sightings: Sightings::default(),
            questions: Arc::default(),
        }
    }

    /// The node of a name in a directory, if the layout has one. [`Tree::has`] tells
    /// whether it exists now, and for whom.
    pub(crate) fn child(&self, directory: Directory, name: &OsStr) -> Result<Option<Node>> {
        match name.to_str().and_then(|name| directory.child(name)) {
            Some(node) => Ok(Some(node)),
            None => dynamic::find(&*self.backend, directory, name),
        }
    }

    /// The table that a name asks, if it asks one that the directory can have, and the name
    /// taken apart. Every other name with an `@` stands for itself, such as that of the
    /// cgroup user@1000.service.
    pub(crate) fn asked<'a>(
        &self,
        directory: Directory,
        name: &'a OsStr,
    ) -> Result<Option<(Base, AskingName<'a>)>> {
        let Some(name) = AskingName::split(name.as_bytes()) else {
            return Ok(None);
        };
        let base = match directory {
            Directory::User => dynamic::find_user(&*self.backend, &name).map(Base::User),
            _ => directory.asked(&name).map(Base::File),
        };
        Ok(base.map(|base| (base, name)))
    }

    /// Whether the last name of a path asks a table, as the daemon sees it now.
    pub(crate) fn asks(&self, path: &str) -> Result<bool> {
        let path = plain(path);
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        match self.resolve(directory)? {
            Some(Node::Directory(directory)) => {
                Ok(self.asked(directory, OsStr::new(name))?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// The names that ask.
    pub(crate) fn questions(&self) -> &Arc<Questions> {
        &self.questions
    }

    /// The node that a path leads to now, as the daemon sees it.
    pub(crate) fn resolve(&self, path: &str) -> Result<Option<Node>> {
        let view = View::of(self.backend.daemon());
        let mut node = Node::Directory(Directory::Root);
        for name in names(path) {
            let Node::Directory(directory) = node else {
                return Ok(None);
            };
            match self.child(directory, OsStr::new(name))? {
                Some(child) if self.is_shown(&view, child)? => node = child,
                _ => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// The text file of each table that this kernel has and whose path needs no parameter.
    pub(crate) fn whole_tables(&self) -> impl Iterator<Item = File> {
        let here = TableId::all().filter(|id| self.backend.present(*id));
        here.filter(|id| id.table().need == Need::Nothing)
            .filter_map(File::whole)
    }

    /// Admits a caller whose tree has a node, on the assumption that the node exists.
    ///
    /// Lookup and open check again that it exists, where this takes a search and reveals
    /// something to the caller. For a node that is in every caller's tree, this makes no
    /// system call.
    ///
    /// # Errors
    /// [`Failure::NotFound`] if the caller's tree does not have it, [`Failure::Denied`]
    /// if the caller may not learn whether it exists.
    pub(crate) fn admit(&self, requester: &Requester, node: Node) -> Result<()> {
        let directory = node.directory();
        if self.is_of_host(node) {
            if !requester.caller()?.is_on_host {
                return Err(Failure::NotFound);
            }
            if is_hidden(node) {
                self.glimpse(requester, node)?;
            }
        } else if let Directory::Process(_) = directory {
            let view = self.glimpse(requester, node)?;
            let sees_all = view.own.is_none() && view.caller.is_in_initial_pid_namespace();
            if !sees_all && self.look(&view, directory)?.is_none() {
                return Err(Failure::NotFound);
            }
        }
        Ok(())
    }

    /// Like [`Tree::admit`], but a caller that has the node open may also ask for its
    /// attributes: a descriptor that was passed on can be read, and most programs call
    /// fstat(2) before they read.
    ///
    /// # Errors
    /// Those of [`Tree::admit`].
    pub(crate) fn admit_holder(&self, requester: &Requester, node: Node) -> Result<()> {
        self.admit(requester, node).or_else(|failure| {
            let caller = requester.caller()?;
            match self.backend.has_open(&caller, inode::shown(node))? {
                true => Ok(()),
                false => Err(failure),
            }
        })
    }

    /// Whether a requester finds the node now.
    ///
    /// # Errors
    /// [`Failure::Denied`] or [`Failure::NotFound`] if the requester may not even ask.
    pub(crate) fn has(&self, requester: &Requester, node: Node) -> Result<bool> {
        let view = self.glimpse(requester, node)?;
        if let Node::Directory(Directory::Process(_)) = node {
            // A path begins with its directories, so this starts a new path.
            self.sightings.forget(&view);
        }
        self.is_shown(&view, node)
    }

    /// The view by which a requester may learn whether a node exists: its view of the node's
    /// directory, or else one that is limited to its own processes.
    pub(crate) fn glimpse(&self, requester: &Requester, node: Node) -> Result<View> {
        let place = Node::Directory(node.directory());
        if let Some(view) = self.access.view(requester, place)? {
            return Ok(view);
        }
        let caller = requester.caller()?;
        if is_hidden(node) {
            return Err(match caller.is_on_host {
                true => Failure::Denied,
                false => Failure::NotFound,
            });
        }
        Ok(View {
            own: Some(requester.user(&*self.backend)?),
            addresses: false,
            ..View::of(caller)
        })
    }

    /// Whether the scope of a node lets a reader's tree have it.
    fn is_in_scope(&self, view: &View, node: Node) -> bool {
        !self.is_of_host(node) || view.caller.is_on_host
    }

    /// Whether a reader's tree has the node now.
    fn is_shown(&self, view: &View, node: Node) -> Result<bool> {
        Ok(self.presence(view, node)?.is_some())
    }

    /// The directory of a node, if a reader's tree has the node now. Listing, lookup and
    /// open all use this rule.
    pub(crate) fn presence(&self, view: &View, node: Node) -> Result<Option<Presence>> {
        if !self.is_in_scope(view, node) {
            return Ok(None);
        }
        let directory = node.directory();
        let Some(presence) = self.look(view, directory)? else {
            return Ok(None);
        };
        let is_there = match node.base() {
            Node::Directory(directory) => self.has_purpose(directory),
            Node::File(file) => {
                let form = self.backend.form(file.table);
                let tables = match &presence.map_tables {
                    Some(tables) => tables,
                    None => &dynamic::tables_in(&*self.backend, directory)?,
                };
                form.formats.contains(&file.format) && tables.contains(&file.table)
            }
            Node::User(file) => {
                let tables = self.backend.user_tables();
                let table = tables.into_iter().find(|table| table.number == file.table);
                table.is_some_and(|table| table.form.formats.contains(&file.format))
            }
            Node::Asking(_) | Node::Control(_) | Node::NetNamespaceName(_) => true,
        };
        Ok(is_there.then_some(presence))
    }

    /// Checks whether a directory exists now for a reader.
    fn look(&self, view: &View, directory: Directory) -> Result<Option<Presence>> {
        let mut presence = Presence::default();
        let is_there = match directory {
            Directory::Process(pid) => {
                presence.process = match self.sightings.find(view, pid) {
                    Some(process) => Some(process),
                    None => self.backend.process(view, pid)?.inspect(|process| {
                        self.sightings.add(view, *process);
                    }),
                };
                presence.process.is_some()
            }
            Directory::Map(_) => {
                let tables = dynamic::tables_in(&*self.backend, directory)?;
                let is_walked = !tables.is_empty();
                presence.map_tables = Some(tables);
                is_walked
            }
            Directory::Cgroup(id) => self.backend.cgroup_exists(id)?,
            Directory::NetNamespace(inode) => self.backend.net_namespace_exists(inode)?,
            Directory::Root
            | Directory::Processes
            | Directory::Net
            | Directory::NetNamespaces
            | Directory::Bpf
            | Directory::Maps
            | Directory::Kernel
            | Directory::Summary
            | Directory::User => true,
        };
        Ok(is_there.then_some(presence))
    }

    /// The entries of a directory as a reader sees them.
    pub(crate) fn entries(&self, view: &View, directory: Directory) -> Result<Vec<Entry>> {
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
            if self.is_shown(view, node)? {
                entries.push(entry(child.name().as_ref(), node));
            }
        }
        for table in dynamic::tables_in(&*self.backend, directory)? {
            let form = self.backend.form(table);
            for file in directory.files_of(table, form.formats) {
                let node = Node::File(file);
                if self.is_in_scope(view, node) {
                    entries.push(entry(file.name().as_ref(), node));
                }
            }
        }
        if directory == Directory::Root {
            for form in Control::ALL {
                let node = Node::Control(form);
                if self.is_shown(view, node)? {
                    entries.push(entry(form.name().as_ref(), node));
                }
            }
        }
        if directory == Directory::User {
            for (name, file) in dynamic::user_files(&*self.backend) {
                let node = Node::User(file);
                if self.is_shown(view, node)? {
                    entries.push(entry(name.as_ref(), node));
                }
            }
        }
        for (name, child) in dynamic::list(&*self.backend, view, directory)? {
            entries.push(entry(&name, Node::Directory(child)));
        }
        for (name, link) in dynamic::links(&*self.backend, directory)? {
            entries.push(entry(&name, link));
        }
        Ok(entries)
    }

    /// Whether the node is only in the trees of callers on the host.
    fn is_of_host(&self, node: Node) -> bool {
        if node.directory().scope() == Some(Scope::Host) {
            return true;
        }
        match node.base() {
            Node::Directory(_) => false,
            Node::File(file) => self.backend.form(file.table).scope == Scope::Host,
            Node::User(file) => {
                let mut tables = self.backend.user_tables().into_iter();
                tables.any(|table| table.number == file.table && table.form.scope == Scope::Host)
            }
            Node::Asking(_) | Node::Control(_) | Node::NetNamespaceName(_) => true,
        }
    }

    /// Whether the kernel has any table that a directory can hold.
    fn has_purpose(&self, directory: Directory) -> bool {
        directory.purpose().is_none_or(|place| {
            TableId::all().any(|id| id.table().places.contains(&place) && self.backend.present(id))
        })
    }
}

/// Whether a node comes and goes on the host. Only callers who may read some of its tables
/// learn of it, because searching for it costs time and its existence reveals something.
fn is_hidden(node: Node) -> bool {
    matches!(node, Node::NetNamespaceName(_))
        || matches!(
            node.directory(),
            Directory::NetNamespace(_) | Directory::Map(_) | Directory::Cgroup(1..)
        )
}
