//! Opens the passes of a file whose name asks for one after another.
//!
//! The reader's rights, its user and its namespaces are those of the time at which it opened
//! the file, as for every descriptor.

use super::{Operations, path};
use crate::error::{Failure, Result};
use crate::stream::OpenAgain;
use iterfs_mapping::contract::Held;
use iterfs_mapping::{Contents, Node, Query, View};
use std::sync::Arc;

impl Operations {
    /// A function that opens a table again, for the caller that has just opened it.
    ///
    /// Namespaces other than the daemon's are found through the thread that opened the file.
    /// So these passes end with that thread, even if the descriptor was passed on: another
    /// thread may have its id by then.
    pub(super) fn open_again(
        &self,
        node: Node,
        contents: Contents,
        query: Option<Query>,
        view: &View,
    ) -> Result<OpenAgain> {
        let daemon = self.backend.daemon();
        let is_elsewhere = view.caller.net_namespace != daemon.net_namespace
            || view.caller.pid_namespace != daemon.pid_namespace
            || view.caller.user_namespace != daemon.user_namespace;
        let held = is_elsewhere.then(|| self.backend.hold(&view.caller));
        let held = held.transpose()?;
        let (backend, view) = (Arc::clone(&self.backend), *view);
        let counts = self.counts.of(contents.subject());
        let path = path(node, contents);
        Ok(Box::new(move || {
            let pass = backend.open(contents, query.as_ref(), &view);
            let pass = pass.map_err(Failure::from);
            // Ask afterwards: if the thread is there now, it was there while the pass was opened.
            let is_there = held.as_deref().is_none_or(Held::is_there);
            let pass = pass.and_then(|pass| is_there.then_some(pass).ok_or(Failure::Gone));
            pass.inspect_err(|failure| {
                tracing::warn!(path, "cannot open the table again: {failure}");
                counts.failed(failure);
            })
        }))
    }
}
