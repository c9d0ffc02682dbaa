//! Lookups and opens of files that are made whole.

use super::asking::{Found, complain};
use super::{Attributes, Operations};
use crate::access::quota::Seat;
use crate::access::requester::Requester;
use crate::error::{Failure, Result};
use crate::handles::Handle;
use crate::stream::Stream;
use crate::tree::questions::SlowLookup;
use crate::whole::{Contents, Making, Recipient};
use iterfs_mapping::{Base, Node, Query};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// Receives the outcome of a lookup, once, on any thread.
pub(crate) trait LookupAnswer: Send {
    /// Whether the caller was interrupted, so that nobody waits for the outcome.
    fn is_abandoned(&self) -> bool;

    /// Sends attributes, or a failure.
    fn found(self: Box<Self>, found: Result<Attributes>);
}

/// A lookup that waits for the contents of its file.
struct Lookup {
    operations: Arc<Operations>,
    requester: Requester,
    base: Base,
    name: OsString,
    query: Query,
    answer: Box<dyn LookupAnswer>,
    _slow: SlowLookup,
}

impl Operations {
    /// Opens a file that was made whole, for a caller who would see the same rows.
    pub(super) fn open_whole(
        &self,
        requester: &Requester,
        node: Node,
        contents: &Arc<Contents>,
        seat: Seat,
    ) -> Result<u64> {
        let view = self.access.view(requester, node)?;
        match view.is_some_and(|view| contents.is_for(&view)) {
            true => Ok((self.handles).insert(Handle::Whole(Arc::clone(contents)), seat)),
            false => Err(Failure::Denied),
        }
    }

    /// Finds a name in a directory, now or once its file has been made.
    /// [`Operations::forget`] takes the lookup back.
    pub(crate) fn find(
        self: &Arc<Self>,
        requester: &Requester,
        parent: Node,
        name: &OsStr,
        answer: Box<dyn LookupAnswer>,
    ) {
        match self.look_up(requester, parent, name) {
            Ok(Found::Node(node)) => answer.found(Ok(self.describe(node))),
            Ok(Found::Whole(base, query)) => {
                let lookup = Lookup {
                    operations: Arc::clone(self),
                    requester: requester.clone(),
                    base,
                    name: name.into(),
                    query,
                    answer,
                    _slow: self.tree.questions().slow_lookup(base.directory()),
                };
                lookup.begin();
            }
            Err(failure) => answer.found(Err(failure)),
        }
    }
}

impl Lookup {
    /// Starts the pass that makes the file.
    fn begin(self) {
        let operations = Arc::clone(&self.operations);
        let begun = operations.access.seat(&self.requester).and_then(|seat| {
            let node = self.base.into();
            let query = Some(&self.query);
            let (pass, format, counts, view) =
                operations.begin_pass(&self.requester, node, query)?;
            let scheduler = Arc::clone(&operations.scheduler);
            let stream = Stream::new(pass, format, counts, seat.account(), scheduler);
            Ok((stream, view, seat))
        });
        match begun {
            Ok((stream, view, seat)) => {
                let scheduler = &operations.scheduler;
                Making::begin(stream, view, seat, scheduler, Box::new(self));
            }
            Err(failure) => self.answer.found(Err(failure)),
        }
    }

    /// Adds the node of a file that has been made.
    fn add(&self, contents: Result<Contents>) -> Result<Attributes> {
        let contents = contents.inspect_err(|failure| {
            if matches!(failure, Failure::TooLarge) {
                complain(self.base, &self.name, failure);
            }
        })?;
        let contents = Some(Arc::new(contents));
        let query = self.query.clone();
        let node =
            (self.operations).hold(&self.requester, self.base, &self.name, query, contents)?;
        Ok(self.operations.describe(node))
    }
}

impl Recipient for Lookup {
    fn is_abandoned(&self) -> bool {
        self.answer.is_abandoned()
    }

    fn receive(self: Box<Self>, contents: Result<Contents>) {
        let found = self.add(contents);
        self.answer.found(found);
    }
}
