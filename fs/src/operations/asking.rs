//! Lookups and opens of names that ask.

use super::Operations;
use crate::access::quota::AccountId;
use crate::access::requester::Requester;
use crate::control::report::one_line;
use crate::error::{Failure, Result};
use crate::sys;
use crate::tree::inode;
use crate::tree::questions::{Asked, Name};
use crate::whole::Contents;
use iterfs_mapping::{AskingName, Base, Error, Node, Query, Question, View};
use std::ffi::OsStr;
use std::sync::Arc;

/// What a lookup has found.
pub(super) enum Found {
    /// A node, whose lookup is counted if its name asks.
    Node(Node),
    /// A table, and the query of a name whose file has yet to be made whole.
    Whole(Base, Query),
}

impl Operations {
    /// The node by whose number the kernel asks.
    ///
    /// # Errors
    /// [`Failure::NotFound`] if the kernel does not hold a node with this number.
    pub fn node(&self, number: u64) -> Result<Node> {
        let node = match inode::question(number) {
            Some(number) => (self.tree.questions().node(number)).map(Node::Asking),
            None => inode::node(number),
        };
        node.ok_or(Failure::NotFound)
    }

    /// Notes that the kernel takes back this many lookups of the node with this number.
    pub fn forget(&self, number: u64, lookups: u64) {
        if let Some(number) = inode::question(number)
            && self.tree.questions().forget(number, lookups)
        {
            self.scheduler.run(AccountId::HOST_ROOT, sys::trim_heaps);
        }
    }

    /// The question of a node, if its name asks one.
    pub(super) fn question(&self, node: Node) -> Result<Option<Arc<Asked>>> {
        let Node::Asking(asking) = node else {
            return Ok(None);
        };
        let held = self.tree.questions().question(asking.number);
        let (_, question) = held.ok_or(Failure::NotFound)?;
        Ok(Some(question))
    }

    /// The number of names that ask which the kernel holds.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.tree.questions().count()
    }

    /// Finds a name that asks. It is there if its table is, and if the table can answer. If it
    /// cannot, the log says why.
    pub(super) fn look_up_question(
        &self,
        requester: &Requester,
        base: Base,
        name: &OsStr,
        parts: &AskingName<'_>,
    ) -> Result<Found> {
        if !self.tree.has(requester, Node::from(base))? {
            return Err(Failure::NotFound);
        }
        let query = self.checked(requester, base, parts);
        let query = query.inspect_err(|failure| complain(base, name, failure))?;
        match query.whole {
            true => Ok(Found::Whole(base, query)),
            false => (self.hold(requester, base, name, query, None)).map(Found::Node),
        }
    }

    /// Counts a lookup of a name that can be asked, with the contents of its file if it was
    /// made whole.
    pub(super) fn hold(
        &self,
        requester: &Requester,
        base: Base,
        name: &OsStr,
        query: Query,
        contents: Option<Arc<Contents>>,
    ) -> Result<Node> {
        let name = Name {
            account: requester.account(),
            base,
            name: name.into(),
        };
        let asking = self
            .tree
            .questions()
            .look_up(name, query, contents, |bytes| {
                self.access.charge_name(requester, bytes)
            })?;
        Ok(Node::Asking(asking))
    }

    /// The query of a name, if the table can answer it.
    pub(super) fn checked(
        &self,
        requester: &Requester,
        base: Base,
        name: &AskingName<'_>,
    ) -> Result<Query> {
        let query = name.query().map_err(Error::Question)?;
        let view = self.glimpse(requester, base.into())?;
        let (contents, _) = base.contents();
        let schema = self.backend.schema(contents, &view)?;
        let schema = schema.ok_or(Error::PrintsText)?;
        Question::of(&query, &schema).map_err(Error::Question)?;
        Ok(query)
    }

    /// The view by which a requester may learn of a table's columns: the one by which it may
    /// read the table or, if it may not, the one by which it finds the table.
    fn glimpse(&self, requester: &Requester, node: Node) -> Result<View> {
        match self.access.view(requester, node)? {
            Some(view) => Ok(view),
            None => self.tree.glimpse(requester, node),
        }
    }
}

/// Logs why a name that asks is refused.
pub(super) fn complain(base: Base, name: &OsStr, failure: &Failure) {
    let directory = base.directory().path();
    let path = format!("{directory}/{}", name.to_string_lossy());
    let failure = one_line(&failure.to_string());
    tracing::warn!(path, "the name cannot be asked: {failure}");
}
