//! Opens, reads and refusals of each table, for the report of the control file.

use crate::error::Failure;
use iterfs_mapping::Subject;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The events of a table since the mount.
#[derive(Debug, Default)]
pub struct Counts {
    opens: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    failure: Mutex<Option<Failure>>,
}

/// A copy of [`Counts`], to be shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) opens: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// The last failure, if any.
    pub(crate) failure: Option<Failure>,
}

impl Counts {
    pub(crate) fn opened(&self) {
        self.opens.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds rows and bytes when they are made for a reader.
    pub(crate) fn made(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        *self.failure.lock() = Some(failure.clone());
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            opens: self.opens.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            failure: self.failure.lock().clone(),
        }
    }
}

/// The counts of every table that was ever opened.
#[derive(Debug, Default)]
pub(crate) struct AllCounts(RwLock<HashMap<Subject, Arc<Counts>>>);

impl AllCounts {
    /// A table's counts, to add to.
    pub(crate) fn of(&self, subject: Subject) -> Arc<Counts> {
        if let Some(counts) = self.0.read().get(&subject) {
            return Arc::clone(counts);
        }
        Arc::clone(self.0.write().entry(subject).or_default())
    }

    /// Forgets the tables that no longer exist.
    pub(crate) fn retain(&self, there: impl Fn(Subject) -> bool) {
        self.0.write().retain(|subject, _| there(*subject));
    }

    /// A table's counts, to be shown.
    pub(crate) fn counted(&self, subject: Subject) -> Counted {
        let counts = self.0.read().get(&subject).cloned();
        counts.map(|counts| counts.counted()).unwrap_or_default()
    }
}
