//! Open files and directories, by the numbers the kernel holds for them.

use crate::access::quota::Seat;
use crate::control::ControlFile;
use crate::stream::Stream;
use crate::tree::listing::Listing;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is open.
pub(crate) enum Handle {
    /// A table that is read.
    Table(Arc<Stream>),
    /// A table opened for writing alone: there is nothing to do with it.
    WriteOnly,
    /// The control file.
    Control(Arc<ControlFile>),
    /// A directory.
    Directory(Arc<Listing>),
}

/// Fewer handles than this leave little behind when they are closed.
const MANY: usize = 64;

/// The open handles. The lock is held to look up or change the table alone.
#[derive(Default)]
pub(crate) struct Handles {
    open: RwLock<Open>,
    next: AtomicU64,
}

#[derive(Default)]
struct Open {
    handles: HashMap<u64, (Handle, Seat)>,
    /// The most at once since most were closed.
    most: usize,
}

impl Open {
    fn get(&self, number: u64) -> Option<&(Handle, Seat)> {
        self.handles.get(&number)
    }
}

impl Handles {
    /// Opens a handle, which keeps its user's seat until it is removed.
    pub(crate) fn insert(&self, handle: Handle, seat: Seat) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open.write();
        open.handles.insert(number, (handle, seat));
        open.most = open.most.max(open.handles.len());
        number
    }

    /// Closes a handle. Says whether most of many have been closed now, so that memory they
    /// were using can be given back.
    pub(crate) fn remove(&self, number: u64) -> bool {
        let mut open = self.open.write();
        let handle = open.handles.remove(&number);
        let were_many = open.most >= MANY && open.handles.len() <= open.most / 4;
        if were_many {
            open.most = open.handles.len();
            open.handles.shrink_to_fit();
        }
        drop(open);
        // Closing it may be a system call, so it happens out of the lock.
        drop(handle);
        were_many
    }

    pub(crate) fn table(&self, number: u64) -> Option<Arc<Stream>> {
        match &self.open.read().get(number)?.0 {
            Handle::Table(stream) => Some(Arc::clone(stream)),
            Handle::WriteOnly | Handle::Control(_) | Handle::Directory(_) => None,
        }
    }

    pub(crate) fn control(&self, number: u64) -> Option<Arc<ControlFile>> {
        match &self.open.read().get(number)?.0 {
            Handle::Control(file) => Some(Arc::clone(file)),
            Handle::Table(_) | Handle::WriteOnly | Handle::Directory(_) => None,
        }
    }

    pub(crate) fn listing(&self, number: u64) -> Option<Arc<Listing>> {
        match &self.open.read().get(number)?.0 {
            Handle::Directory(listing) => Some(Arc::clone(listing)),
            Handle::Table(_) | Handle::WriteOnly | Handle::Control(_) => None,
        }
    }
}
