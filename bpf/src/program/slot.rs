//! The slot of a table's program: the first open loads the program, and an update replaces it.

use crate::program::Program;
use iterfs_mapping::error::Result;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The slot of one program.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Held while the program is first loaded, so that two opens load it only once, and while
    /// it is replaced; otherwise held only to copy the `Arc`.
    program: Mutex<Option<Arc<Program>>>,
    /// Odd while the program is being replaced. An iterator that is made from its link
    /// meanwhile may run either program.
    changes: AtomicU64,
}

impl Slot {
    /// A slot that has its program from the start.
    pub(crate) fn of(program: Program) -> Slot {
        Slot {
            program: Mutex::new(Some(Arc::new(program))),
            changes: AtomicU64::default(),
        }
    }

    /// The program, if it is loaded.
    pub(crate) fn loaded(&self) -> Option<Arc<Program>> {
        self.program.lock().clone()
    }

    /// The program. Loads it with `load` if it is not loaded yet; a failure is not cached.
    pub(crate) fn program(&self, load: impl FnOnce() -> Result<Program>) -> Result<Arc<Program>> {
        let mut slot = self.program.lock();
        if let Some(program) = &*slot {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(load()?);
        *slot = Some(Arc::clone(&program));
        Ok(program)
    }

    /// Makes something that is guaranteed to belong to the returned program: if the program is
    /// replaced in the meantime, it is made again from the new one.
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

    /// Replaces the program, if there is one, with the result of `replace`. If `replace` fails,
    /// the program stays.
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
