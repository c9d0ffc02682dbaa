//! The running kernel's tables: programs loaded as they are asked for.

mod control;
mod passes;

use crate::caller::{Caller, INITIAL_PID_NAMESPACE};
use crate::cgroups::Cgroups;
use crate::counter::Counters;
use crate::error::{Error, Result};
use crate::loader::SharedReaders;
use crate::namespace::Home;
use crate::net_namespaces::NetNamespaces;
use crate::objects;
use crate::probe;
use crate::program::Program;
use crate::slot::Slot;
use crate::split::Splitter;
use crate::summary::Summary;
use crate::tables::{Form, Pass, Tables, UserTable, View};
use crate::text::TextReaders;
use crate::user_tables::UserTables;
use crate::verifier_log;
use iterfs_mapping::{Instance, Need, Parameter, Place, Table, TableId, Target};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// The running kernel.
#[derive(Debug)]
pub struct Kernel {
    targets: Vec<Target>,
    net_namespace: u32,
    home: Home,
    /// One an object.
    programs: HashMap<&'static str, Slot>,
    /// Our own where an update put another into their place, loaded when needed.
    displaced: HashMap<&'static str, Slot>,
    /// Of a summary, the programs that its passes borrow.
    counters: Mutex<HashMap<&'static str, Arc<Counters>>>,
    user: UserTables,
    readers: SharedReaders,
    text_readers: TextReaders,
    cgroups: Cgroups,
    net_namespaces: NetNamespaces,
    splitter: Splitter,
}

impl Kernel {
    /// Looks at what the kernel has; loads nothing yet.
    ///
    /// # Errors
    /// [`Error::NoBtf`], [`Error::OtherPidNamespace`], and [`Error::Caller`] if
    /// `/proc` is not there.
    pub fn new() -> Result<Kernel> {
        verifier_log::install();
        if Caller::Daemon.pid_namespace()? != INITIAL_PID_NAMESPACE {
            return Err(Error::OtherPidNamespace);
        }
        let facts = probe::facts()?;
        for undecided in &facts.undecided {
            tracing::warn!("{undecided}");
        }
        Ok(Kernel {
            targets: facts.targets,
            net_namespace: Caller::Daemon.net_namespace()?,
            home: Home::here()?,
            programs: objects::names()
                .map(|name| (name, Slot::default()))
                .collect(),
            displaced: objects::names()
                .map(|name| (name, Slot::default()))
                .collect(),
            counters: Mutex::default(),
            user: UserTables::default(),
            readers: SharedReaders::default(),
            text_readers: TextReaders::default(),
            cgroups: Cgroups::default(),
            net_namespaces: NetNamespaces::default(),
            splitter: Splitter::new(),
        })
    }

    /// Tries a table as an open would: loads its program, and starts a pass if
    /// it need not be told of what.
    ///
    /// # Errors
    /// What an open would fail with.
    pub fn try_table(&self, table: TableId) -> Result<()> {
        let parameter = match table.table().need {
            Need::Nothing => Parameter::None,
            Need::Cgroup(order) => Parameter::Cgroup(0, order),
            // Which map there may be, nobody knows beforehand.
            Need::Map(_) => {
                let (slot, load) = self.slot(table)?;
                return slot.program(load).map(drop);
            }
        };
        let instance = Instance { table, parameter };
        self.open(instance, &View::of(Caller::Daemon)).map(drop)
    }

    /// Where a table's program stands, and how its own is loaded.
    fn slot(&self, table: TableId) -> Result<(&Slot, impl Fn() -> Result<Program>)> {
        let table = table.table();
        if !self.targets.contains(&table.target) {
            return Err(Error::NoTarget(table.target));
        }
        let slot = self
            .programs
            .get(table.object)
            .ok_or_else(|| missing(table))?;
        Ok((slot, move || {
            let elf = objects::find(table.object).ok_or_else(|| missing(table))?;
            let program = Program::load(table.object, elf, table.need, &self.readers)?;
            tracing::info!(object = table.object, "loaded");
            Ok(program)
        }))
    }

    /// The programs of a summary, unless an update put another in their place.
    fn counters(&self, table: TableId) -> Result<Option<Arc<Counters>>> {
        let (slot, _) = self.slot(table)?;
        let table = table.table();
        let is_updated = slot.loaded().is_some_and(|program| !program.is_own());
        if !table.places.contains(&Place::Summary) || is_updated {
            return Ok(None);
        }
        let elf = objects::find(table.object).ok_or_else(|| missing(table))?;
        let mut counters = self.counters.lock();
        if let Some(counters) = counters.get(table.object) {
            return Ok(Some(Arc::clone(counters)));
        }
        let made = Arc::new(Counters::of(table.object, elf, None, self.readers.clone())?);
        counters.insert(table.object, Arc::clone(&made));
        Ok(Some(made))
    }
}

/// How a table is shown while this program stands in its place.
fn form(table: TableId, program: &Program) -> Form {
    let form = program.form();
    match program.is_own() {
        true => Form::of_layout(table.table().scope),
        false => form,
    }
}

fn missing(table: &Table) -> Error {
    Error::BadObject {
        object: table.object.into(),
        what: "no such program was built in".into(),
    }
}

impl Tables for Kernel {
    fn present(&self, table: TableId) -> bool {
        self.targets.contains(&table.table().target)
    }

    fn form(&self, table: TableId) -> Form {
        let loaded = self.slot(table).ok().and_then(|(slot, _)| slot.loaded());
        match loaded {
            Some(program) => form(table, &program),
            None => Form::of_layout(table.table().scope),
        }
    }

    fn open(&self, instance: Instance, view: &View) -> Result<Pass> {
        let table = instance.table;
        if let Some(counters) = self.counters(table)? {
            let walk = self.walk(table.table().scope, view)?;
            return Ok(Summary::pass(counters, walk));
        }
        let (slot, load) = self.slot(table)?;
        Ok(self.pass_from(slot, load, instance, view)?.1)
    }

    fn open_own(&self, instance: Instance, view: &View) -> Result<Pass> {
        let (slot, load) = self.slot(instance.table)?;
        let (program, pass) = self.pass_from(slot, &load, instance, view)?;
        if program.is_own() {
            return Ok(pass);
        }
        let table = instance.table.table();
        let slot = self.displaced.get(table.object);
        let slot = slot.ok_or_else(|| missing(table))?;
        Ok(self.pass_from(slot, load, instance, view)?.1)
    }

    fn user_tables(&self) -> Vec<UserTable> {
        self.user.shown()
    }

    fn net_namespace_names(&self) -> Result<Vec<(OsString, u32)>> {
        self.net_namespaces.names()
    }

    fn net_namespace_exists(&self, inode: u32) -> Result<bool> {
        self.net_namespaces.contains(self, inode)
    }

    fn open_user(&self, number: u32, view: &View) -> Result<Pass> {
        let table = self.user.find(number)?;
        let (_, pass) = table.with(|program| {
            let scope = program.form().scope;
            self.pass(program, scope, Parameter::None, view)
        })?;
        Ok(pass)
    }

    fn cgroups_below(&self, id: u64) -> Result<Vec<(OsString, u64)>> {
        self.cgroups.below(id)
    }

    fn cgroup_below(&self, id: u64, name: &OsStr) -> Result<Option<u64>> {
        self.cgroups.find(id, name)
    }

    fn cgroup_exists(&self, id: u64) -> Result<bool> {
        self.cgroups.exists(id)
    }
}
