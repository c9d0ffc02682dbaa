//! Files that are made whole when they are looked up: their contents in memory, and how they
//! come there.
//!
//! The contents belong to one lookup by one caller. They are read out of a [`Stream`] as a
//! reader would read them, so a long pass takes its turns with those of others, and is given
//! up when its caller is killed.

use crate::access::quota::{Account, Charge, Seat};
use crate::answer::Answer;
use crate::error::{Failure, Result};
use crate::scheduler::Scheduler;
use crate::stream::Stream;
use iterfs_mapping::{Caller, View};
use std::sync::Arc;
use std::time::SystemTime;

/// The size of the reads that fill a file.
const READ: usize = 1024 * 1024;

/// The contents of a file, charged to an account until dropped.
#[derive(Debug)]
pub(crate) struct Contents {
    bytes: Vec<u8>,
    /// When its pass began.
    pub(crate) made: SystemTime,
    view: View,
    charge: Charge,
}

impl Contents {
    /// The number of bytes.
    pub(crate) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// At most `size` bytes at an offset.
    pub(crate) fn at(&self, offset: u64, size: usize) -> &[u8] {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.bytes.get(start..).unwrap_or_default();
        &rest[..size.min(rest.len())]
    }

    /// Whether a caller with this view would see the same rows. Nobody else may open the file.
    pub(crate) fn is_for(&self, view: &View) -> bool {
        without_thread(&self.view) == without_thread(view)
    }
}

/// A view in which threads with the same namespaces and rights are equal.
fn without_thread(view: &View) -> View {
    View {
        caller: Caller {
            thread: None,
            ..view.caller
        },
        started: None,
        ..*view
    }
}

/// Waits for the contents of a file.
pub(crate) trait Recipient: Send {
    /// Whether the caller was interrupted, so that nobody waits any more.
    fn is_abandoned(&self) -> bool;

    /// Takes the contents, or a failure.
    fn receive(self: Box<Self>, contents: Result<Contents>);
}

/// A file in the making.
pub(crate) struct Making {
    stream: Arc<Stream>,
    scheduler: Arc<Scheduler>,
    account: Arc<Account>,
    contents: Contents,
    recipient: Box<dyn Recipient>,
    /// The place of the pass among the open files of its user.
    _seat: Seat,
}

impl Making {
    /// Begins to read a stream that shows a view.
    pub(crate) fn begin(
        stream: Stream,
        view: View,
        seat: Seat,
        scheduler: &Arc<Scheduler>,
        recipient: Box<dyn Recipient>,
    ) {
        let account = seat.account();
        let making = Making {
            stream: Arc::new(stream),
            scheduler: Arc::clone(scheduler),
            contents: Contents {
                bytes: Vec::new(),
                made: SystemTime::now(),
                view,
                charge: account.keep(0),
            },
            account,
            recipient,
            _seat: seat,
        };
        making.schedule();
    }

    /// Reads on, on another thread.
    fn schedule(self) {
        let (scheduler, account) = (Arc::clone(&self.scheduler), self.account.id());
        scheduler.run(account, move || {
            let (stream, offset) = (Arc::clone(&self.stream), self.contents.size());
            stream.read_elsewhere(offset, READ, Box::new(self));
        });
    }

    /// Takes bytes. Returns false if the account has no room for them.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let Contents {
            bytes: all, charge, ..
        } = &mut self.contents;
        let needed = all.len() + bytes.len();
        if needed > all.capacity() {
            let capacity = needed.max(all.capacity() / 2 * 3);
            // Charge before the memory is taken; a file that just fits need not grow ahead.
            let capacity = match charge.resize(capacity) {
                true => capacity,
                false if charge.resize(needed) => needed,
                false => return false,
            };
            all.reserve_exact(capacity - all.len());
        }
        all.extend_from_slice(bytes);
        true
    }

    fn finish(mut self) {
        self.contents.bytes.shrink_to_fit();
        self.contents.charge.reduce(self.contents.bytes.capacity());
        self.recipient.receive(Ok(self.contents));
    }
}

impl Answer for Making {
    fn is_abandoned(&self) -> bool {
        self.recipient.is_abandoned()
    }

    fn commit(&self) -> bool {
        !self.is_abandoned()
    }

    fn send(mut self: Box<Self>, outcome: Result<&[u8]>) {
        match outcome {
            _ if self.is_abandoned() => {}
            Ok([]) => self.finish(),
            Ok(bytes) if self.take(bytes) => self.schedule(),
            Ok(_) => self.recipient.receive(Err(Failure::TooLarge)),
            Err(failure) => self.recipient.receive(Err(failure)),
        }
    }
}
