//! Where a table's program stands: loaded at the first open, replaced by an update.

use crate::program::Program;
use iterfs_mapping::error::Result;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The place of one program.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Held while the program is first loaded, so that two opens load it once, and
    /// while it is exchanged; otherwise only to copy the `Arc`.
    program: Mutex<Option<Arc<Program>>>,
    /// Odd while the program is being replaced: an iterator made from its link
    /// meanwhile may run either.
    changes: AtomicU64,
}

impl Slot {
    /// A place that is taken from the start.
    pub(crate) fn of(program: Program) -> Slot {
        Slot {
            program: Mutex::new(Some(Arc::new(program))),
            changes: AtomicU64::default(),
        }
    }

    /// The program, if one was loaded.
    pub(crate) fn loaded(&self) -> Option<Arc<Program>> {
        self.program.lock().clone()
    }

    /// The program, loaded by `load` if it was not. A failure is not kept.
    pub(crate) fn program(&self, load: impl FnOnce() -> Result<Program>) -> Result<Arc<Program>> {
        let mut slot = self.program.lock();
        if let Some(program) = &*slot {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(load()?);
        *slot = Some(Arc::clone(&program));
        Ok(program)
    }

    /// Makes something of the program that belongs to it for sure: if the program
    /// is replaced in the meantime, it is made again of the new one.
    pub(crate) fn with<T>(
        &self,
        load: impl Fn() -> Result<Program>,
        make: impl Fn(&Arc<Program>) -> Result<T>,
    ) -> Result<(Arc<Program>, T)> {
        loop {
            let before = self.changes.load(Ordering::Acquire);
            if before % 2 == 1 {
                thread::yield_now();
                continue;
            }
            let program = self.program(&load)?;
            let made = make(&program);
            if self.changes.load(Ordering::Acquire) == before {
                return Ok((program, made?));
            }
        }
    }

    /// Replaces the program, if there is one, by what `replace` makes of it. If
    /// that fails, it stays.
    pub(crate) fn replace(&self, replace: impl FnOnce(&Program) -> Result<Program>) -> Result<()> {
        let mut slot = self.program.lock();
        let Some(program) = slot.clone() else {
            return Ok(());
        };
        self.changes.fetch_add(1, Ordering::AcqRel);
        let replaced = replace(&program).map(|new| *slot = Some(Arc::new(new)));
        self.changes.fetch_add(1, Ordering::AcqRel);
        replaced
    }
}
