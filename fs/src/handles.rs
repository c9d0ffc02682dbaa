//! Open files and directories, by the handle numbers that the kernel holds.

use crate::access::quota::Seat;
use crate::control::ControlFile;
use crate::stream::Stream;
use crate::tree::listing::Listing;
use crate::whole::Contents;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An open file or directory.
pub(crate) enum Handle {
    /// A table opened for reading.
    Table(Arc<Stream>),
    /// A file that was made whole.
    Whole(Arc<Contents>),
    /// A table opened only for writing; no operation succeeds on it.
    WriteOnly,
    /// The control file.
    Control(Arc<ControlFile>),
    /// A directory.
    Directory(Arc<Listing>),
}

/// With fewer handles than this, little memory is left to give back when they are closed.
const MANY: usize = 64;

/// The open handles. The lock is held only to look up or change the map.
#[derive(Default)]
pub(crate) struct Handles {
    open: RwLock<Open>,
    next: AtomicU64,
}

#[derive(Default)]
struct Open {
    handles: HashMap<u64, (Handle, Seat)>,
    /// The highest number of open handles since most of them were last closed.
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

    /// Closes a handle. Returns whether most of many handles are closed now, so that the
    /// memory that they used can be given back.
    pub(crate) fn remove(&self, number: u64) -> bool {
        let mut open = self.open.write();
        let handle = open.handles.remove(&number);
        let were_many = open.most >= MANY && open.handles.len() <= open.most / 4;
        if were_many {
            open.most = open.handles.len();
            open.handles.shrink_to_fit();
        }
        drop(open);
        // Dropping the handle may make a system call, so do it without the lock.
        drop(handle);
        were_many
    }

    pub(crate) fn table(&self, number: u64) -> Option<Arc<Stream>> {
        match &self.open.read().get(number)?.0 {
            Handle::Table(stream) => Some(Arc::clone(stream)),
            Handle::Whole(_) | Handle::WriteOnly | Handle::Control(_) | Handle::Directory(_) => {
                None
            }
        }
    }

    pub(crate) fn whole(&self, number: u64) -> Option<Arc<Contents>> {
        match &self.open.read().get(number)?.0 {
            Handle::Whole(contents) => Some(Arc::clone(contents)),
            Handle::Table(_) | Handle::WriteOnly | Handle::Control(_) | Handle::Directory(_) => {
                None
            }
        }
    }

    pub(crate) fn control(&self, number: u64) -> Option<Arc<ControlFile>> {
        match &self.open.read().get(number)?.0 {
            Handle::Control(file) => Some(Arc::clone(file)),
            Handle::Table(_) | Handle::Whole(_) | Handle::WriteOnly | Handle::Directory(_) => None,
        }
    }

    pub(crate) fn listing(&self, number: u64) -> Option<Arc<Listing>> {
        match &self.open.read().get(number)?.0 {
            Handle::Directory(listing) => Some(Arc::clone(listing)),
            Handle::Table(_) | Handle::Whole(_) | Handle::WriteOnly | Handle::Control(_) => None,
        }
    }
}
