//! The running kernel's tables: programs loaded as they are asked for.

use crate::caller::{Caller, INITIAL_PID_NAMESPACE, Kind};
use crate::cgroups::Cgroups;
use crate::error::{Error, Result};
use crate::exchange::program_of;
use crate::namespace::in_net_namespace;
use crate::object_file::ObjectFile;
use crate::objects;
use crate::probe;
use crate::program::{self, Pinned, Program, SharedReaders};
use crate::programs::{Loaded, Narrowing, Programs};
use crate::reader::Settings;
use crate::slot::Slot;
use crate::source::Iterator;
use crate::sys::{self, LinkTo};
use crate::tables::{Form, Pass, Tables, UserTable};
use crate::user_tables::UserTables;
use crate::verifier_log;
use iterfs_mapping::{Instance, Parameter, Scope, Subject, Table, TableId, Target};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The running kernel.
#[derive(Debug)]
pub struct Kernel {
    targets: Vec<Target>,
    net_namespace: u32,
    /// One an object.
    programs: HashMap<&'static str, Slot>,
    /// Our own where an update put another into their place, loaded when needed.
    displaced: HashMap<&'static str, Slot>,
    user: UserTables,
    readers: SharedReaders,
    cgroups: Cgroups,
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
            programs: objects::names()
                .map(|name| (name, Slot::default()))
                .collect(),
            displaced: objects::names()
                .map(|name| (name, Slot::default()))
                .collect(),
            user: UserTables::default(),
            readers: SharedReaders::default(),
            cgroups: Cgroups::default(),
        })
    }

    /// Tries a table as an open would: loads its program and starts a pass.
    ///
    /// # Errors
    /// What an open would fail with.
    pub fn try_table(&self, table: TableId) -> Result<()> {
        let whole = Instance {
            table,
            parameter: Parameter::None,
        };
        self.open(whole, &Caller::Daemon).map(drop)
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

    /// A pass over a table, and the program that makes it.
    fn pass_from(
        &self,
        slot: &Slot,
        load: impl Fn() -> Result<Program>,
        Instance { table, parameter }: Instance,
        caller: &Caller,
    ) -> Result<(Arc<Program>, Pass)> {
        let (program, (fd, settings)) = slot.with(load, |program| {
            let scope = form(table, program).scope;
            self.iterator(program, scope, parameter, caller)
        })?;
        let pass = pass(&program, fd, settings);
        Ok((program, pass))
    }

    /// A link of a table's own program whose iterators print text.
    fn own_link_as_text(&self, instance: Instance) -> Result<OwnedFd> {
        Err(Error::NoText(
            instance.table.table().name.into(),
            "it has no text form",
        ))
    }

    /// An iterator of a program for the caller, and what its program is told.
    fn iterator(
        &self,
        program: &Program,
        scope: Scope,
        parameter: Parameter,
        caller: &Caller,
    ) -> Result<(OwnedFd, Settings)> {
        match scope {
            Scope::PidNamespace => self.task_iterator(program, parameter, caller),
            Scope::PidAndNetNamespace => {
                let (fd, mut settings) = self.task_iterator(program, parameter, caller)?;
                if parameter == Parameter::None {
                    settings.net_namespace = caller.net_namespace()?;
                }
                Ok((fd, settings))
            }
            Scope::NetNamespace => Ok((self.net_iterator(program, caller)?, Settings::default())),
            Scope::Host => {
                // Whether the caller's tree has it was asked before an update
                // may have changed the answer.
                if caller.pid_namespace()? != INITIAL_PID_NAMESPACE {
                    return Err(Error::Caller(io::ErrorKind::PermissionDenied.into()));
                }
                // A program that was brought numbers processes as the host does.
                let to = match parameter {
                    Parameter::Process(process) => LinkTo::Process(process),
                    _ => LinkTo::Everything,
                };
                Ok((program.iterator(to)?, Settings::default()))
            }
        }
    }

    /// An iterator over tasks, or over what they hold, as the caller numbers them.
    fn task_iterator(
        &self,
        program: &Program,
        parameter: Parameter,
        caller: &Caller,
    ) -> Result<(OwnedFd, Settings)> {
        let namespace = caller.pid_namespace()?;
        let mut settings = Settings {
            pid_namespace: match namespace {
                INITIAL_PID_NAMESPACE => 0,
                inode => inode,
            },
            ..Settings::default()
        };
        if let Parameter::Process(process) = parameter {
            if namespace == INITIAL_PID_NAMESPACE
                && let Ok(iterator) = program.iterator(LinkTo::Process(process))
            {
                return Ok((iterator, settings));
            }
            // Before 6.1, or in another numbering than the link would take:
            // walk all and keep one.
            settings.process = process;
        }
        Ok((program.iterator(LinkTo::Everything)?, settings))
    }

    fn net_iterator(&self, program: &Program, caller: &Caller) -> Result<OwnedFd> {
        if caller.net_namespace()? == self.net_namespace {
            return program.iterator(LinkTo::Everything);
        }
        let namespace = caller.open(Kind::Net)?;
        in_net_namespace(namespace.as_fd(), || program.iterator(LinkTo::Everything))
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

fn pass(program: &Program, fd: OwnedFd, settings: Settings) -> Pass {
    let readers = program.readers().map(Arc::clone);
    Pass {
        schema: program.schema().map(Arc::clone),
        source: Box::new(Iterator::new(
            fd,
            readers.map(|readers| (readers, settings)),
        )),
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

    fn open(&self, instance: Instance, caller: &Caller) -> Result<Pass> {
        let (slot, load) = self.slot(instance.table)?;
        Ok(self.pass_from(slot, load, instance, caller)?.1)
    }

    fn open_own(&self, instance: Instance, caller: &Caller) -> Result<Pass> {
        let (slot, load) = self.slot(instance.table)?;
        let (program, pass) = self.pass_from(slot, &load, instance, caller)?;
        if program.is_own() {
            return Ok(pass);
        }
        let table = instance.table.table();
        let slot = self.displaced.get(table.object);
        let slot = slot.ok_or_else(|| missing(table))?;
        Ok(self.pass_from(slot, load, instance, caller)?.1)
    }

    fn user_tables(&self) -> Vec<UserTable> {
        self.user.shown()
    }

    fn open_user(&self, number: u32, caller: &Caller) -> Result<Pass> {
        let table = self.user.find(number)?;
        let (program, (fd, settings)) = table.with(|program| {
            let scope = Form::of(program).scope;
            self.iterator(program, scope, Parameter::None, caller)
        })?;
        Ok(pass(&program, fd, settings))
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
                Narrowing::Map(id) => Some(map(*id)?),
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
        let loaded = program::load_file(object, &self.readers)?;
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
        let loaded = program::load(object, elf, None, &self.readers)?;
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
        let (_, link) = table.with(Program::link_to_pin)?;
        Ok(link)
    }

    fn loaded(&self) -> Vec<Loaded> {
        let tables = TableId::all().filter_map(|table| {
            let program = self.slot(table).ok()?.0.loaded()?;
            program.describe(Subject::Table(table), None).ok()
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

fn map(id: u32) -> Result<OwnedFd> {
    sys::map_by_id(id).map_err(|source| Error::Map { id, source })
}
