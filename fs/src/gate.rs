//! Which nodes a caller's tree has: the question that every operation asks before it
//! answers with names, attributes or bytes.
//!
//! A caller need not have found a node by a path. It may hold a descriptor that another
//! process opened with O_PATH, or make a file handle for open_by_handle_at(2). So no
//! operation takes for granted that a lookup let its caller pass. Reading an open table
//! is the exception: its handle shows what its opener sees.

use crate::access::Access;
use crate::error::{Failure, Result};
use crate::inode;
use crate::live;
use crate::policy::Requester;
use iterfs_bpf::{Caller, Tables, View};
use iterfs_mapping::{Directory, Node, Scope, TableId};
use std::sync::Arc;

/// Decides for each request.
pub(crate) struct Gate {
    tables: Arc<dyn Tables>,
    access: Arc<Access>,
}

impl Gate {
    pub(crate) fn new(tables: Arc<dyn Tables>, access: Arc<Access>) -> Gate {
        Gate { tables, access }
    }

    /// Lets a caller pass whose tree has a node, supposing that the node exists.
    ///
    /// Whether it does is asked again where that costs a search and tells the caller
    /// something: at lookup and at open. A node that every caller's tree has costs no
    /// system call here.
    ///
    /// # Errors
    /// [`Failure::NotFound`] if the caller's tree does not have it, [`Failure::Denied`]
    /// if the caller may not learn whether it exists.
    pub(crate) fn admit(&self, requester: &Requester, node: Node) -> Result<()> {
        let directory = node.directory();
        if self.is_of_host(node) {
            if !Caller::from_request(requester.tid)?.is_on_host()? {
                return Err(Failure::NotFound);
            }
            if is_hidden(node) {
                self.glimpse(requester, node)?;
            }
        } else if let Directory::Process(_) = directory {
            let view = self.glimpse(requester, node)?;
            let sees_all = view.own.is_none() && view.caller.is_in_initial_pid_namespace()?;
            if !sees_all && !live::exists(&*self.tables, &view, directory)? {
                return Err(Failure::NotFound);
            }
        }
        Ok(())
    }

    /// As [`Gate::admit`], but a caller that has the node open may ask for its
    /// attributes: a descriptor that was handed on can be read, and most programs call
    /// fstat(2) before they read.
    ///
    /// # Errors
    /// Those of [`Gate::admit`].
    pub(crate) fn admit_holder(&self, requester: &Requester, node: Node) -> Result<()> {
        self.admit(requester, node).or_else(|failure| {
            let caller = Caller::from_request(requester.tid)?;
            match caller.has_open(inode::number(node))? {
                true => Ok(()),
                false => Err(failure),
            }
        })
    }

    /// Whether a requester finds the node now.
    ///
    /// # Errors
    /// [`Failure::Denied`] and [`Failure::NotFound`] if it may not even ask.
    pub(crate) fn has(&self, requester: &Requester, node: Node) -> Result<bool> {
        self.is_shown(&self.glimpse(requester, node)?, node)
    }

    /// What a requester may see of a node's being there: what it may read, or if
    /// that is nothing, what is its own.
    fn glimpse(&self, requester: &Requester, node: Node) -> Result<View> {
        let place = Node::Directory(node.directory());
        if let Some(view) = self.access.view(&*self.tables, requester, place)? {
            return Ok(view);
        }
        let caller = Caller::from_request(requester.tid)?;
        if is_hidden(node) {
            return Err(match caller.is_on_host()? {
                true => Failure::Denied,
                false => Failure::NotFound,
            });
        }
        Ok(View {
            own: Some(caller.real_user()?),
            ..View::of(caller)
        })
    }

    /// Whether a reader's tree may have a node of this scope.
    pub(crate) fn is_in_scope(&self, view: &View, node: Node) -> Result<bool> {
        Ok(!self.is_of_host(node) || view.caller.is_on_host()?)
    }

    /// Whether a reader's tree has the node now: the one rule for what is listed,
    /// found and opened.
    pub(crate) fn is_shown(&self, view: &View, node: Node) -> Result<bool> {
        if !self.is_in_scope(view, node)? {
            return Ok(false);
        }
        let directory = node.directory();
        if !live::exists(&*self.tables, view, directory)? {
            return Ok(false);
        }
        match node {
            Node::Directory(directory) => Ok(self.has_purpose(directory)),
            Node::File(file) => {
                let form = self.tables.form(file.table);
                Ok(form.formats.contains(&file.format)
                    && live::tables_in(&*self.tables, directory)?.contains(&file.table))
            }
            Node::User(file) => {
                let tables = self.tables.user_tables();
                let table = tables.into_iter().find(|table| table.number == file.table);
                Ok(table.is_some_and(|table| table.form.formats.contains(&file.format)))
            }
            Node::Control(_) | Node::NetNamespaceName(_) => Ok(true),
        }
    }

    /// Whether only callers on the host have the node in their trees.
    fn is_of_host(&self, node: Node) -> bool {
        if node.directory().scope() == Some(Scope::Host) {
            return true;
        }
        match node {
            Node::Directory(_) => false,
            Node::File(file) => self.tables.form(file.table).scope == Scope::Host,
            Node::User(file) => {
                let mut tables = self.tables.user_tables().into_iter();
                tables.any(|table| table.number == file.table && table.form.scope == Scope::Host)
            }
            Node::Control(_) | Node::NetNamespaceName(_) => true,
        }
    }

    /// Whether the kernel has any of the tables a directory is there for.
    fn has_purpose(&self, directory: Directory) -> bool {
        directory.purpose().is_none_or(|place| {
            TableId::all().any(|id| id.table().places.contains(&place) && self.tables.present(id))
        })
    }
}

/// Whether what comes and goes on the host is told to those alone who may read some of
/// it: to look for it costs, and its being there says something.
fn is_hidden(node: Node) -> bool {
    matches!(node, Node::NetNamespaceName(_))
        || matches!(
            node.directory(),
            Directory::NetNamespace(_) | Directory::Map(_) | Directory::Cgroup(1..)
        )
}
