//! The running kernel's tables: programs loaded as they are asked for.

use crate::btf;
use crate::caller::{Caller, INITIAL_PID_NAMESPACE, Kind};
use crate::cgroups::Cgroups;
use crate::error::{Error, Result};
use crate::namespace::in_net_namespace;
use crate::objects;
use crate::probe;
use crate::program::{self, Program, SharedReaders};
use crate::reader::Settings;
use crate::source::Iterator;
use crate::sys::LinkTo;
use crate::tables::{Pass, Tables};
use crate::text::{self, TextReaders};
use crate::verifier_log;
use iterfs_mapping::{Instance, Need, Parameter, Scope, TableId, Target};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The running kernel.
#[derive(Debug)]
pub struct Kernel {
    targets: Vec<Target>,
    net_namespace: u32,
    /// A slot an object. Its lock is held while the program is loaded, so that
    /// two first opens load it once; afterwards only to copy the `Arc`.
    programs: HashMap<&'static str, Mutex<Option<Arc<Program>>>>,
    readers: SharedReaders,
    text_readers: TextReaders,
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
                .map(|name| (name, Mutex::default()))
                .collect(),
            readers: SharedReaders::default(),
            text_readers: TextReaders::default(),
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

    /// Links a table's program in text mode: what reads an iterator of the link,
    /// such as `cat` of its pin in bpffs, gets the text that the table's own file
    /// has, as its opener's namespaces see it. The program is loaded for this link
    /// alone, and goes with it.
    ///
    /// A link to a process stores its number, which counts in the pid namespace
    /// of whoever opens the pin.
    ///
    /// # Errors
    /// [`Error::NoTarget`], [`Error::NoTextMode`], and those of loading and linking.
    pub fn link_as_text(&self, instance: Instance) -> Result<OwnedFd> {
        let table = instance.table.table();
        if !self.targets.contains(&table.target) {
            return Err(Error::NoTarget(table.target));
        }
        let bad = |what: &str| Error::BadObject {
            object: table.object.into(),
            what: what.into(),
        };
        let to = match (table.need, instance.parameter) {
            (Need::Nothing, Parameter::None) => LinkTo::Everything,
            (Need::Nothing, Parameter::Process(process)) => LinkTo::Process(process),
            (Need::Cgroup(order), Parameter::Cgroup(id, _)) => LinkTo::Cgroup(id, order),
            _ => return Err(bad("it cannot be linked so")),
        };
        let elf = objects::find(table.object).ok_or_else(|| bad("no such program was built in"))?;
        let schema = btf::schema_of(table.object, elf)?;
        let program = text::load_as_text(table.object, elf, &schema, &self.text_readers)?;
        program::attach(table.object, program.as_fd(), to)
    }

    /// The program of a table, loaded if it was not. A failure is not kept.
    fn program(&self, table: TableId) -> Result<Arc<Program>> {
        let table = table.table();
        if !self.targets.contains(&table.target) {
            return Err(Error::NoTarget(table.target));
        }
        let missing = || Error::BadObject {
            object: table.object.into(),
            what: "no such program was built in".into(),
        };
        let mut slot = self.programs.get(table.object).ok_or_else(missing)?.lock();
        if let Some(program) = &*slot {
            return Ok(Arc::clone(program));
        }
        let elf = objects::find(table.object).ok_or_else(missing)?;
        let program = Arc::new(Program::load(table.object, elf, table.need, &self.readers)?);
        tracing::info!(object = table.object, "loaded");
        *slot = Some(Arc::clone(&program));
        Ok(program)
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

impl Tables for Kernel {
    fn present(&self, table: TableId) -> bool {
        self.targets.contains(&table.table().target)
    }

    fn open(&self, instance: Instance, caller: &Caller) -> Result<Pass> {
        let program = self.program(instance.table)?;
        let (fd, settings) = match instance.table.table().scope {
            Scope::PidNamespace => self.task_iterator(&program, instance.parameter, caller)?,
            Scope::PidAndNetNamespace => {
                let parameter = instance.parameter;
                let (fd, mut settings) = self.task_iterator(&program, parameter, caller)?;
                if parameter == Parameter::None {
                    settings.net_namespace = caller.net_namespace()?;
                }
                (fd, settings)
            }
            Scope::NetNamespace => (self.net_iterator(&program, caller)?, Settings::default()),
            Scope::Host => (program.iterator(LinkTo::Everything)?, Settings::default()),
        };
        let settings = program
            .readers()
            .map(|readers| (Arc::clone(readers), settings));
        Ok(Pass {
            schema: Arc::clone(program.schema()),
            source: Box::new(Iterator::new(fd, settings)),
        })
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
