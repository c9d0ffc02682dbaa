//! The tables that the administrator brought: what `user/` shows.

use crate::program::Program;
use crate::program::slot::Slot;
use iterfs_mapping::contract::UserTable;
use iterfs_mapping::error::{Error, Result};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The tables by name. The lock is held to look up or change the list alone.
#[derive(Debug, Default)]
pub(crate) struct UserTables {
    tables: RwLock<BTreeMap<String, Arc<Brought>>>,
    last: AtomicU32,
}

/// One table, its program linked to what it was narrowed to.
#[derive(Debug)]
pub(crate) struct Brought {
    pub(crate) number: u32,
    slot: Slot,
}

impl Brought {
    /// Where its program stands.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Makes something of its program, as [`Slot::with`].
    pub(crate) fn with<T>(
        &self,
        make: impl Fn(&Arc<Program>) -> Result<T>,
    ) -> Result<(Arc<Program>, T)> {
        // It was loaded before it had a number, and is never without a program.
        let gone = || Err(Error::NoUserTable(format!("#{}", self.number)));
        self.slot.with(gone, make)
    }
}

impl UserTables {
    /// Adds a table of this name, made by `make`.
    pub(crate) fn add(&self, name: &str, make: impl FnOnce() -> Result<Program>) -> Result<()> {
        let taken = || Error::NameTaken(name.into());
        if self.tables.read().contains_key(name) {
            return Err(taken());
        }
        let slot = Slot::of(make()?);
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let brought = Arc::new(Brought { number, slot });
        let mut tables = self.tables.write();
        // Somebody else may have been faster.
        if tables.contains_key(name) {
            drop(tables);
            return Err(taken());
        }
        tables.insert(name.into(), brought);
        Ok(())
    }

    /// Takes a table away; who reads it goes on to the end of the pass.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let removed = self.tables.write().remove(name);
        // Its descriptors are closed out of the lock.
        match removed {
            Some(_) => Ok(()),
            None => Err(Error::NoUserTable(name.into())),
        }
    }

    /// The table of a number.
    pub(crate) fn find(&self, number: u32) -> Result<Arc<Brought>> {
        let tables = self.tables.read();
        let found = tables.values().find(|table| table.number == number);
        found
            .cloned()
            .ok_or_else(|| Error::NoUserTable(format!("#{number}")))
    }

    /// All of them, by name.
    pub(crate) fn list(&self) -> Vec<(String, Arc<Brought>)> {
        let tables = self.tables.read();
        tables
            .iter()
            .map(|(name, table)| (name.clone(), Arc::clone(table)))
            .collect()
    }

    /// How they are shown.
    pub(crate) fn shown(&self) -> Vec<UserTable> {
        let tables = self.list().into_iter();
        tables
            .filter_map(|(name, table)| {
                Some(UserTable {
                    name,
                    number: table.number,
                    form: table.slot.loaded()?.form(),
                })
            })
            .collect()
    }
}
