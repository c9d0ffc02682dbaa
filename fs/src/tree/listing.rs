//! An open directory: its opener's view, and the entries that its last reading found.

use crate::access::Viewpoint;
use crate::access::quota::{Account, Charge};
use crate::error::{Failure, Result};
use iterfs_mapping::Node;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::sync::Arc;

/// A name in a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// The node that it names.
    pub node: Node,
}

/// One open directory.
#[derive(Debug)]
pub(crate) struct Listing {
    viewpoint: Viewpoint,
    account: Arc<Account>,
    /// Held only to look at the value or replace it.
    found: Mutex<Option<Found>>,
}

/// Entries, and the bytes that they take of their user's quota.
#[derive(Debug)]
struct Found {
    entries: Arc<[Entry]>,
    _charge: Charge,
}

impl Listing {
    /// A directory that nobody has read yet, charged to an account.
    pub(crate) fn new(viewpoint: Viewpoint, account: Arc<Account>) -> Arc<Listing> {
        Arc::new(Listing {
            viewpoint,
            account,
            found: Mutex::default(),
        })
    }

    /// The view of the process that opened the directory.
    pub(crate) fn viewpoint(&self) -> Viewpoint {
        self.viewpoint
    }

    /// The entries that the last reading from the start found.
    pub(crate) fn entries(&self) -> Option<Arc<[Entry]>> {
        let found = self.found.lock();
        found.as_ref().map(|found| Arc::clone(&found.entries))
    }

    /// Replaces the entries.
    ///
    /// # Errors
    /// [`Failure::TooMuchKept`] past the user's quota.
    pub(crate) fn set(&self, entries: Vec<Entry>) -> Result<Arc<[Entry]>> {
        let entries: Arc<[Entry]> = entries.into();
        let bytes = entries
            .iter()
            .map(|entry| size_of::<Entry>() + entry.name.len());
        let charge = self.account.charge(bytes.sum());
        let found = Found {
            entries: Arc::clone(&entries),
            _charge: charge.ok_or(Failure::TooMuchKept)?,
        };
        let before = self.found.lock().replace(found);
        drop(before);
        Ok(entries)
    }
}
