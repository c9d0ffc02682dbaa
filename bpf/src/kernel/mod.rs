//! The tables of the running kernel. Programs are loaded on demand.

mod asking;
mod passes;
mod programs;

use crate::host::callers::{self, Callers};
use crate::host::cgroups::Cgroups;
use crate::host::held::HeldThread;
use crate::host::inventory::{self, Thread};
use crate::host::net_entry::Home;
use crate::host::net_namespaces::NetNamespaces;
use crate::load::loader::SharedMaps;
use crate::load::mode::Mode;
use crate::load::text::TextReaders;
use crate::load::{objects, probe, schemas, verifier_log};
use crate::pass::map;
use crate::pass::split::Splitter;
use crate::pass::summary::Summary;
use crate::pass::summary_pool::SummaryPool;
use crate::program::Program;
use crate::program::pins::Pins;
use crate::program::slot::Slot;
use crate::program::user_tables::UserTables;
use asking::Asks;
use iterfs_mapping::contract::{self, Form, Map, Pass, Process, Processes, Tables, UserTable};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::{
    Caller, Contents, Instance, Narrowing, Need, Place, Query, Schema, Table, TableId, Target,
    Tenant, User, View,
};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

/// The directory of pins, unless [`Kernel::pinning_below`] sets another one.
const PINS: &str = "/sys/fs/bpf/iterfs";

/// The running kernel.
#[derive(Debug)]
pub struct Kernel {
    targets: Vec<Target>,
    callers: Callers,
    home: Home,
    /// One slot per object.
    programs: HashMap<&'static str, Slot>,
    /// Built-in programs of tables whose program an update replaced. They are loaded on demand.
    displaced: HashMap<&'static str, Slot>,
    /// The programs of each summary, which its passes borrow.
    summaries: Mutex<HashMap<&'static str, Arc<SummaryPool>>>,
    pins: Pins,
    user: UserTables,
    maps: SharedMaps,
    text_readers: TextReaders,
    cgroups: Cgroups,
    net_namespaces: NetNamespaces,
    splitter: Splitter,
    /// Whether programs evaluate conditions.
    evaluates: bool,
}

impl Kernel {
    /// Probes the kernel; loads no program yet.
    ///
    /// # Errors
    /// [`Error::NoBtf`], [`Error::OtherPidNamespace`], and [`Error::Caller`] if `/proc` is not
    /// mounted.
    pub fn new() -> Result<Kernel> {
        verifier_log::install();
        let callers = Callers::new()?;
        if !callers.daemon().is_in_initial_pid_namespace() {
            return Err(Error::OtherPidNamespace);
        }
        let facts = probe::facts()?;
        for undecided in &facts.undecided {
            tracing::warn!("{undecided}");
        }
        Ok(Kernel {
            targets: facts.targets,
            callers,
            home: Home::here()?,
            programs: objects::names()
                .map(|name| (name, Slot::default()))
                .collect(),
            displaced: objects::names()
                .map(|name| (name, Slot::default()))
                .collect(),
            summaries: Mutex::default(),
            pins: Pins::below(PINS.into()),
            user: UserTables::default(),
            maps: SharedMaps::default(),
            text_readers: TextReaders::default(),
            cgroups: Cgroups::default(),
            net_namespaces: NetNamespaces::default(),
            splitter: Splitter::new(),
            evaluates: true,
        })
    }

    /// Changes the directory of pins, which need not exist yet.
    pub fn pinning_below(self, directory: PathBuf) -> Kernel {
        Kernel {
            pins: Pins::below(directory),
            ..self
        }
    }

    /// The daemon's own view, which is of everything.
    pub fn own_view(&self) -> View {
        View::of(self.callers.daemon())
    }

    /// Tries a table as an open would: loads its program, and starts a pass if the walk needs
    /// no parameter.
    ///
    /// # Errors
    /// Those of an open.
    pub fn try_table(&self, table: TableId) -> Result<()> {
        let narrowing = match table.table().need {
            Need::Nothing => Narrowing::Nothing,
            Need::Cgroup(order) => Narrowing::Cgroup(0, order),
            // No map may exist that the table could walk.
            Need::Map(_) => {
                let (slot, load) = self.slot(table)?;
                return slot.program(load).map(drop);
            }
        };
        let instance = Instance { table, narrowing };
        self.open_table(instance, None, &self.own_view()).map(drop)
    }

    /// The slot of a table's program, and a function that loads the built-in program.
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
            let program =
                Program::load(table.object, elf, table.need, Mode::default(), &self.maps)?;
            tracing::info!(object = table.object, "loaded");
            Ok(program)
        }))
    }

    /// The pool of a summary's programs, unless an update replaced the program.
    fn summary(&self, table: TableId) -> Result<Option<Arc<SummaryPool>>> {
        let (slot, _) = self.slot(table)?;
        let table = table.table();
        let is_updated = slot.loaded().is_some_and(|program| !program.is_built_in());
        if !table.places.contains(&Place::Summary) || is_updated {
            return Ok(None);
        }
        let elf = objects::find(table.object).ok_or_else(|| missing(table))?;
        let mut summaries = self.summaries.lock();
        if let Some(pool) = summaries.get(table.object) {
            return Ok(Some(Arc::clone(pool)));
        }
        let pool = SummaryPool::of(table.object, elf, None, self.maps.clone())?;
        let pool = Arc::new(pool);
        summaries.insert(table.object, Arc::clone(&pool));
        Ok(Some(pool))
    }

    fn open_table(&self, instance: Instance, query: Option<&Query>, view: &View) -> Result<Pass> {
        let table = instance.table;
        if let Some(pool) = self.summary(table)? {
            let walks = self.counting(pool, table.table().scope, view)?;
            // Conditions hold for groups, which are complete only after the walk.
            return Summary::pass(Box::new(walks)).answering(query);
        }
        let (slot, load) = self.slot(table)?;
        let (_, pass) = slot.with(load, |program| {
            let scope = form(table, program).scope;
            self.answer(program, scope, instance, query, view)
        })?;
        Ok(pass)
    }

    /// Starts a pass with the built-in program of a table, even after an update has replaced
    /// it. iterfs itself depends on these rows.
    ///
    /// # Errors
    /// As for [`Tables::open`].
    pub fn open_own(&self, instance: Instance, view: &View) -> Result<Pass> {
        let (slot, load) = self.slot(instance.table)?;
        let (program, pass) = self.pass_from(slot, &load, instance, view)?;
        if program.is_built_in() {
            return Ok(pass);
        }
        let table = instance.table.table();
        let slot = self.displaced.get(table.object);
        let slot = slot.ok_or_else(|| missing(table))?;
        Ok(self.pass_from(slot, load, instance, view)?.1)
    }
}

/// The form of a table while this program fills it.
fn form(table: TableId, program: &Program) -> Form {
    let form = program.form();
    match program.is_built_in() {
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

    fn user_tables(&self) -> Vec<UserTable> {
        self.user.shown()
    }

    fn schema(&self, contents: Contents, view: &View) -> Result<Option<Arc<Schema>>> {
        let Instance { table, narrowing } = match contents {
            Contents::Table(instance) => instance,
            Contents::User(number) => {
                let (program, _) = self.user.find(number)?.with(|_| Ok(()))?;
                return Ok(program.schema().map(Arc::clone));
            }
        };
        let (slot, _) = self.slot(table)?;
        let schema = match slot.loaded() {
            Some(program) => program.schema().map(Arc::clone),
            None => schemas::of(table.table().object)?,
        };
        match (narrowing, schema) {
            (Narrowing::Map(id), Some(template)) => {
                map::schema(&template, id, view).map(Arc::new).map(Some)
            }
            (_, schema) => Ok(schema),
        }
    }

    fn open(&self, contents: Contents, query: Option<&Query>, view: &View) -> Result<Pass> {
        let number = match contents {
            Contents::Table(instance) => return self.open_table(instance, query, view),
            Contents::User(number) => number,
        };
        let (_, pass) = self.user.find(number)?.with(|program| {
            let scope = program.form().scope;
            self.pass(program, scope, Narrowing::Nothing, view, &Asks::default())
        })?;
        pass.0.answering(query)
    }
}

impl contract::Callers for Kernel {
    fn daemon(&self) -> Caller {
        self.callers.daemon()
    }

    fn identify(&self, thread: u32) -> Result<Caller> {
        self.callers.identify(thread)
    }

    fn hold(&self, caller: &Caller) -> Result<Box<dyn contract::Held>> {
        Ok(Box::new(HeldThread::new(caller)?))
    }

    fn tenant(&self, caller: &Caller, uid: u32) -> Result<Tenant> {
        self.callers.tenant(caller, uid)
    }

    fn user(&self, caller: &Caller) -> Result<User> {
        self.callers.user(caller)
    }

    fn groups(&self, caller: &Caller) -> Result<Vec<u32>> {
        callers::groups(caller)
    }

    fn has_open(&self, caller: &Caller, inode: u64) -> Result<bool> {
        self.callers.has_open(caller, inode)
    }

    fn reads_asynchronously(&self, thread: u32) -> bool {
        callers::reads_asynchronously(thread)
    }
}

impl Processes for Kernel {
    fn processes(&self, view: &View) -> Result<Vec<Process>> {
        inventory::rows(self, Narrowing::Nothing, view)
    }

    fn process(&self, view: &View, pid: u32) -> Result<Option<Process>> {
        let found = inventory::rows(self, Narrowing::Process(pid), view)?;
        Ok(found.into_iter().next())
    }

    fn maps(&self) -> Result<Vec<Map>> {
        inventory::rows(self, Narrowing::Nothing, &self.own_view())
    }
}

impl contract::NetNamespaces for Kernel {
    fn net_namespaces(&self) -> Result<BTreeSet<u32>> {
        let threads = inventory::rows::<Thread>(self, Narrowing::Nothing, &self.own_view())?;
        Ok(threads.iter().map(|thread| thread.net_namespace).collect())
    }

    fn net_namespace_names(&self) -> Result<Vec<(OsString, u32)>> {
        self.net_namespaces.names()
    }

    fn net_namespace_exists(&self, inode: u32) -> Result<bool> {
        self.net_namespaces.contains(self, inode)
    }
}

impl contract::Cgroups for Kernel {
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
