//! The tables of user programs, which `user/` shows.

use crate::program::Program;
use crate::program::slot::Slot;
use iterfs_mapping::contract::UserTable;
use iterfs_mapping::error::{Error, Result};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The tables by name. The lock is held only to look up or change the list.
#[derive(Debug, Default)]
pub(crate) struct UserTables {
    tables: RwLock<BTreeMap<String, Arc<LoadedTable>>>,
    last: AtomicU32,
}

/// One table; its program is linked to the part that the table is narrowed to.
#[derive(Debug)]
pub(crate) struct LoadedTable {
    pub(crate) number: u32,
    slot: Slot,
}

impl LoadedTable {
    /// The slot of its program.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Makes something from its program, as [`Slot::with`] does.
    pub(crate) fn with<T>(
        &self,
        make: impl Fn(&Arc<Program>) -> Result<T>,
    ) -> Result<(Arc<Program>, T)> {
        // The program was loaded before the table got its number, so the slot is never empty.
        let gone = || Err(Error::NoUserTable(format!("#{}", self.number)));
        self.slot.with(gone, make)
    }
}

impl UserTables {
    /// Adds a table with this name. `make` loads its program.
    pub(crate) fn add(&self, name: &str, make: impl FnOnce() -> Result<Program>) -> Result<()> {
        let taken = || Error::NameTaken(name.into());
        if self.tables.read().contains_key(name) {
            return Err(taken());
        }
        let slot = Slot::of(make()?);
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let table = Arc::new(LoadedTable { number, slot });
        let mut tables = self.tables.write();
        // Another command may have added the name meanwhile.
        if tables.contains_key(name) {
            drop(tables);
            return Err(taken());
        }
        tables.insert(name.into(), table);
        Ok(())
    }

    /// Removes a table. Its readers finish their passes.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let removed = self.tables.write().remove(name);
        // Closes the table's descriptors after the lock is released.
        match removed {
            Some(_) => Ok(()),
            None => Err(Error::NoUserTable(name.into())),
        }
    }

    /// The table with this number.
    pub(crate) fn find(&self, number: u32) -> Result<Arc<LoadedTable>> {
        let tables = self.tables.read();
        let found = tables.values().find(|table| table.number == number);
        found
            .cloned()
            .ok_or_else(|| Error::NoUserTable(format!("#{number}")))
    }

    /// All tables, sorted by name.
    pub(crate) fn list(&self) -> Vec<(String, Arc<LoadedTable>)> {
        let tables = self.tables.read();
        tables
            .iter()
            .map(|(name, table)| (name.clone(), Arc::clone(table)))
            .collect()
    }

    /// The form of each table.
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
