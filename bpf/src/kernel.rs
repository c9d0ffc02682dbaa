//! The running kernel's tables: programs loaded as they are asked for.

use crate::btf;
use crate::caller::{Caller, INITIAL_PID_NAMESPACE, Kind};
use crate::cgroup_walk::CgroupWalk;
use crate::cgroups::Cgroups;
use crate::counter::Counters;
use crate::error::{Error, Result};
use crate::exchange::program_of;
use crate::loader::{self, SharedReaders};
use crate::map;
use crate::namespace::Home;
use crate::net_namespaces::NetNamespaces;
use crate::object_file::ObjectFile;
use crate::objects;
use crate::probe;
use crate::process_chain::ProcessChain;
use crate::program::{self, Pinned, Program};
use crate::programs::{Loaded, Narrowing, Programs};
use crate::reader::Settings;
use crate::rows;
use crate::slot::Slot;
use crate::source::{Iterator, Nothing};
use crate::split::{self, Process};
use crate::summary::{Summary, Walk};
use crate::sys::LinkTo;
use crate::tables::{Form, Pass, Source, Tables, UserTable, View};
use crate::text::{self, TextReaders};
use crate::user_tables::UserTables;
use crate::verifier_log;
use iterfs_mapping::{Instance, Need, Parameter, Place, Scope, Subject, Table, TableId, Target};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The table that has a row a process, and what it walks.
const PROCESSES: (Place, &str) = (Place::Root, "processes");
const PROCESSES_TARGET: &str = "task";

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
        Ok(Kernel {
            targets: probe::targets()?,
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

    /// A link of a table's own program whose iterators print text.
    fn own_link_as_text(&self, instance: Instance) -> Result<OwnedFd> {
        let table = instance.table.table();
        if !self.targets.contains(&table.target) {
            return Err(Error::NoTarget(table.target));
        }
        let refused = |why| Error::NoText(table.name.into(), why);
        if table.places.contains(&Place::Summary) {
            return Err(refused("the daemon takes its groups out of the kernel"));
        }
        let elf = objects::find(table.object).ok_or_else(|| missing(table))?;
        let schema = btf::schema_of(table.object, elf)?;
        let schema = schema.ok_or_else(|| refused("it has no rows"))?;
        let text = |schema| text::load_as_text(table.object, elf, schema, &self.text_readers);
        let (program, map) = match instance.parameter {
            Parameter::Map(id) => {
                let (map, schema) = map::printed(&schema, id)?;
                (text(&schema)?, Some(map))
            }
            _ => (text(&schema)?, None),
        };
        let to = match (instance.parameter, &map) {
            (Parameter::None, _) => LinkTo::Everything,
            (Parameter::Process(process), _) => LinkTo::Process(process),
            (Parameter::Cgroup(id, order), _) => LinkTo::Cgroup(id, order),
            (Parameter::Map(_), Some(map)) => LinkTo::Map(map.as_fd()),
            (Parameter::NetNamespace(_) | Parameter::Map(_), _) => {
                return Err(refused("a pin shows the net namespace of its reader"));
            }
        };
        program::attach(table.object, program.as_fd(), to)
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

    /// What a summary's pass walks; the whole of a table, as no summary is narrowed.
    fn walk(&self, scope: Scope, view: &View) -> Result<Walk> {
        let caller = &view.caller;
        let mut walk = Walk {
            settings: Settings::of(view),
            net_namespace: None,
        };
        if matches!(scope, Scope::PidNamespace | Scope::PidAndNetNamespace) {
            walk.settings.pid_namespace = told(caller.pid_namespace()?);
        }
        if scope == Scope::PidAndNetNamespace {
            walk.settings.net_namespace = caller.net_namespace()?;
        }
        if scope == Scope::NetNamespace && caller.net_namespace()? != self.net_namespace {
            walk.net_namespace = Some(caller.open(Kind::Net)?);
        }
        Ok(walk)
    }

    /// A pass over a table, and the program that makes it.
    fn pass_from(
        &self,
        slot: &Slot,
        load: impl Fn() -> Result<Program>,
        Instance { table, parameter }: Instance,
        view: &View,
    ) -> Result<(Arc<Program>, Pass)> {
        slot.with(load, |program| {
            let scope = form(table, program).scope;
            self.pass(program, scope, parameter, view)
        })
    }

    /// A pass of a program for a reader.
    fn pass(
        &self,
        program: &Arc<Program>,
        scope: Scope,
        parameter: Parameter,
        view: &View,
    ) -> Result<Pass> {
        // Whether the caller's tree has it was asked before an update may have
        // changed the answer.
        let is_of_host = scope == Scope::Host || matches!(parameter, Parameter::NetNamespace(_));
        if is_of_host && !view.caller.is_on_host()? {
            return Err(Error::Caller(io::ErrorKind::PermissionDenied.into()));
        }
        if let Parameter::Map(id) = parameter
            && program.is_own()
        {
            return map::pass(program, id, view);
        }
        let mut rest = Vec::new();
        let source: Box<dyn Source> = match parameter {
            Parameter::Cgroup(id, order) if program.is_own() => {
                Box::new(CgroupWalk::new(program, id, order)?)
            }
            Parameter::None if let Some(parts) = self.by_process(program, scope, view)? => {
                let mut parts = parts
                    .into_iter()
                    .map(|part| Box::new(part) as Box<dyn Source>);
                let first = parts.next();
                rest.extend(parts);
                first.unwrap_or_else(|| Box::new(Nothing))
            }
            _ => {
                let (fd, settings) = self.iterator(program, scope, parameter, view)?;
                let readers = program.readers().map(Arc::clone);
                let settings = readers.map(|readers| (readers, settings));
                Box::new(Iterator::new(fd, settings))
            }
        };
        Ok(Pass {
            schema: program.schema().map(Arc::clone),
            source,
            rest,
        })
    }

    /// A walk process by process, in parts, where that shows a reader the same and
    /// sooner: of what the processes of another pid namespace hold, or of so much
    /// that several threads are worth it.
    fn by_process(
        &self,
        program: &Arc<Program>,
        scope: Scope,
        view: &View,
    ) -> Result<Option<Vec<ProcessChain>>> {
        let caller = &view.caller;
        let is_of_processes = matches!(scope, Scope::PidNamespace | Scope::PidAndNetNamespace);
        // A walk over tasks alone is as short as the list of processes.
        if !is_of_processes || program.target() == PROCESSES_TARGET || !program.is_own() {
            return Ok(None);
        }
        let pid_namespace = told(caller.pid_namespace()?);
        let target = program.target();
        if pid_namespace == 0 && !(split::may_pay(target) && self.links_to_processes(program)) {
            return Ok(None);
        }
        let Some(processes) = self.processes_here(view)? else {
            return Ok(None);
        };
        let parts = match split::parts(target, &processes) {
            Some(parts) => parts,
            None if pid_namespace == 0 => return Ok(None),
            None => vec![processes.iter().map(|process| process.pid).collect()],
        };
        let settings = Settings {
            pid_namespace,
            net_namespace: match scope {
                Scope::PidAndNetNamespace => caller.net_namespace()?,
                _ => 0,
            },
            ..Settings::of(view)
        };
        let parts = parts.into_iter().map(|part| {
            let program = Arc::clone(program);
            ProcessChain::new(program, settings, part)
        });
        Ok(Some(parts.collect()))
    }

    /// Whether the kernel links to single processes (since 6.1).
    fn links_to_processes(&self, program: &Program) -> bool {
        program
            .iterator(LinkTo::Process(std::process::id()))
            .is_ok()
    }

    /// What the processes that a reader sees are called here, in the order of a walk;
    /// none if that cannot be found out.
    fn processes_here(&self, view: &View) -> Result<Option<Vec<Process>>> {
        let Some(table) = TableId::find(PROCESSES.0, PROCESSES.1) else {
            return Ok(None);
        };
        let (slot, load) = self.slot(table)?;
        if !slot.program(load)?.is_own() {
            return Ok(None);
        }
        let instance = Instance {
            table,
            parameter: Parameter::None,
        };
        let mut seen = Vec::new();
        rows::each_row(self, instance, view, |schema, record| {
            let number = |column| {
                let number = rows::number(schema, column, record);
                number.and_then(|number| u32::try_from(number).ok())
            };
            seen.extend(number("pid").map(|pid| Process {
                pid,
                slots: number("slots").unwrap_or_default(),
            }));
        })?;
        match told(view.caller.pid_namespace()?) {
            0 => Ok(Some(seen)),
            _ => view.caller.processes_here(&seen),
        }
    }

    /// An iterator of a program for a reader, and what its program is told.
    fn iterator(
        &self,
        program: &Program,
        scope: Scope,
        parameter: Parameter,
        view: &View,
    ) -> Result<(OwnedFd, Settings)> {
        let caller = &view.caller;
        let settings = Settings::of(view);
        if settings.is_needed() && program.readers().is_none() {
            return Err(Error::Caller(io::ErrorKind::PermissionDenied.into()));
        }
        match (scope, parameter) {
            (_, Parameter::NetNamespace(inode)) => {
                let (fd, pid_namespace) = self.in_namespace(program, scope, inode, caller)?;
                let settings = Settings {
                    net_namespace: inode,
                    pid_namespace,
                    ..settings
                };
                Ok((fd, settings))
            }
            (Scope::PidNamespace, _) => self.task_iterator(program, parameter, caller, settings),
            (Scope::PidAndNetNamespace, _) => {
                let settings = Settings {
                    net_namespace: match parameter {
                        Parameter::None => caller.net_namespace()?,
                        _ => 0,
                    },
                    ..settings
                };
                self.task_iterator(program, parameter, caller, settings)
            }
            (Scope::NetNamespace, _) => Ok((self.net_iterator(program, caller)?, settings)),
            (Scope::Host, Parameter::Cgroup(id, order)) => {
                Ok((program.iterator(LinkTo::Cgroup(id, order))?, settings))
            }
            (Scope::Host, Parameter::Map(id)) => {
                let map = map::open(id)?;
                Ok((program.iterator(LinkTo::Map(map.as_fd()))?, settings))
            }
            // A program that was brought numbers processes as the host does.
            (Scope::Host, Parameter::Process(process)) => {
                Ok((program.iterator(LinkTo::Process(process))?, settings))
            }
            (Scope::Host, Parameter::None) => Ok((program.iterator(LinkTo::Everything)?, settings)),
        }
    }

    /// An iterator over tasks, or over what they hold, as the caller numbers them.
    fn task_iterator(
        &self,
        program: &Program,
        parameter: Parameter,
        caller: &Caller,
        settings: Settings,
    ) -> Result<(OwnedFd, Settings)> {
        let pid_namespace = told(caller.pid_namespace()?);
        let process = match parameter {
            Parameter::Process(process) => process,
            _ => 0,
        };
        let settings = Settings {
            pid_namespace,
            // The link may do as much, but before 6.1 or in another numbering than
            // it takes, the program walks all and keeps one.
            process,
            ..settings
        };
        let here = match (process, pid_namespace) {
            (0, _) => None,
            (process, 0) => Some(process),
            (process, _) => caller.process_here(process),
        };
        if let Some(process) = here
            && let Ok(iterator) = program.iterator(LinkTo::Process(process))
        {
            return Ok((iterator, settings));
        }
        Ok((program.iterator(LinkTo::Everything)?, settings))
    }

    fn net_iterator(&self, program: &Program, caller: &Caller) -> Result<OwnedFd> {
        if caller.net_namespace()? == self.net_namespace {
            return program.iterator(LinkTo::Everything);
        }
        let namespace = caller.open(Kind::Net)?;
        self.home
            .away(namespace.as_fd(), || program.iterator(LinkTo::Everything))
    }

    /// An iterator over what belongs to a net namespace of the host.
    fn in_namespace(
        &self,
        program: &Program,
        scope: Scope,
        inode: u32,
        caller: &Caller,
    ) -> Result<(OwnedFd, u32)> {
        let pid_namespace = told(caller.pid_namespace()?);
        // What processes hold is told apart by the program.
        if scope != Scope::NetNamespace || inode == self.net_namespace {
            return Ok((program.iterator(LinkTo::Everything)?, pid_namespace));
        }
        let namespace = self.net_namespaces.open(self, inode)?;
        let fd = self
            .home
            .away(namespace.as_fd(), || program.iterator(LinkTo::Everything))?;
        Ok((fd, pid_namespace))
    }
}

/// A pid namespace as programs are told of it.
fn told(pid_namespace: u32) -> u32 {
    match pid_namespace {
        INITIAL_PID_NAMESPACE => 0,
        inode => inode,
    }
}

/// How a table is shown while this program stands in its place.
fn form(table: TableId, program: &Program) -> Form {
    let form = Form::of(program);
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
            let scope = Form::of(program).scope;
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

impl Programs for Kernel {
    fn load(&self, name: &str, object: &ObjectFile, narrowing: &Narrowing) -> Result<()> {
        self.user.add(name, || {
            let map = match narrowing {
                Narrowing::Map(id) => Some(map::open(*id)?),
                _ => None,
            };
            let to = match (narrowing, &map) {
                (Narrowing::Process(pid), _) => LinkTo::Process(*pid),
                (Narrowing::Thread(tid), _) => LinkTo::Thread(*tid),
                (Narrowing::Map(_), Some(map)) => LinkTo::Map(map.as_fd()),
                (Narrowing::Cgroup(path, order), _) => {
                    LinkTo::Cgroup(self.cgroups.resolve(path)?, *order)
                }
                _ => LinkTo::Everything,
            };
            Program::bring(object, to, &self.readers)
        })
    }

    fn unload(&self, name: &str) -> Result<()> {
        self.user.remove(name)
    }

    fn update(&self, table: Subject, object: &ObjectFile, pinned: &[OwnedFd]) -> Result<()> {
        // Loaded before readers must wait for anything.
        let loaded = loader::load_file(object, None, &self.readers)?;
        if loaded.writes_records() && !pinned.is_empty() {
            return Err(Error::Pinned(object.name()));
        }
        let pinned = pinned.iter().map(|link| Pinned {
            link: link.as_fd(),
            program: None,
        });
        let pinned: Vec<_> = pinned.collect();
        let replace =
            |program: &Program| program.replaced(loaded, Some(object.path.clone()), &pinned);
        match table {
            Subject::Table(table) => {
                let (slot, load) = self.slot(table)?;
                slot.program(load)?;
                slot.replace(replace)
            }
            Subject::User(number) => self.user.find(number)?.slot().replace(replace),
        }
    }

    fn restore(&self, table: TableId, pinned: &[(Instance, OwnedFd)]) -> Result<()> {
        let (slot, own) = self.slot(table)?;
        let stands = slot.loaded().is_none_or(|program| program.is_own());
        if stands && pinned.is_empty() {
            return Ok(());
        }
        // A pin may run what an earlier daemon was told to put there.
        slot.program(own)?;
        let object = table.table().object;
        let elf = objects::find(object).ok_or_else(|| missing(table.table()))?;
        let loaded = loader::load(object, elf, loader::Options::default(), &self.readers)?;
        let text = pinned.iter().map(|(instance, link)| {
            let text = self.own_link_as_text(*instance)?;
            Ok(Pinned {
                link: link.as_fd(),
                program: Some(program_of(text.as_fd())?),
            })
        });
        let pinned: Vec<_> = text.collect::<Result<_>>()?;
        slot.replace(|program| program.replaced(loaded, None, &pinned))
    }

    fn link_as_text(&self, instance: Instance) -> Result<OwnedFd> {
        let (slot, _) = self.slot(instance.table)?;
        let stands = slot.loaded().filter(|program| !program.is_own());
        match stands {
            Some(program) => program.link_as_text(instance.parameter),
            None => self.own_link_as_text(instance),
        }
    }

    fn link_of_user(&self, number: u32) -> Result<OwnedFd> {
        let table = self.user.find(number)?;
        let (_, link) = table.with(|program| program.link_to_pin())?;
        Ok(link)
    }

    fn loaded(&self) -> Vec<Loaded> {
        let tables = TableId::all().filter_map(|table| {
            let subject = Subject::Table(table);
            if let Some(counters) = self.counters.lock().get(table.table().object) {
                return counters.describe(subject);
            }
            let program = self.slot(table).ok()?.0.loaded()?;
            program.describe(subject, None).ok()
        });
        let user = self.user.list().into_iter().filter_map(|(name, table)| {
            let program = table.slot().loaded()?;
            program
                .describe(Subject::User(table.number), Some(name))
                .ok()
        });
        tables.chain(user).collect()
    }
}
