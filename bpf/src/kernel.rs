//! The running kernel's tables: programs loaded as they are asked for.

use crate::caller::{Caller, INITIAL_PID_NAMESPACE, Kind};
use crate::cgroups::Cgroups;
use crate::counter::{Counter, Counters};
use crate::error::{Error, Result};
use crate::namespace::in_net_namespace;
use crate::objects;
use crate::probe;
use crate::program::{Program, SharedReaders};
use crate::reader::Settings;
use crate::source::Iterator;
use crate::summary::{Summary, Walk};
use crate::sys::LinkTo;
use crate::tables::{Pass, Tables};
use crate::verifier_log;
use iterfs_mapping::{Instance, Parameter, Scope, TableId, Target};
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
    programs: HashMap<&'static str, Mutex<Option<Loaded>>>,
    readers: SharedReaders,
    cgroups: Cgroups,
}

/// What an object became.
#[derive(Clone, Debug)]
enum Loaded {
    /// A program that all passes share.
    Shared(Arc<Program>),
    /// A summary's, of which each pass has one for itself.
    Counting(Arc<Counters>),
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

    /// The program of a table, loaded if it was not. A failure is not kept.
    fn program(&self, table: TableId) -> Result<Loaded> {
        let table = table.table();
        if !self.targets.contains(&table.target) {
            return Err(Error::NoTarget(table.target));
        }
        let missing = || Error::BadObject {
            object: table.object.into(),
            what: "no such program was built in".into(),
        };
        let mut slot = self.programs.get(table.object).ok_or_else(missing)?.lock();
        if let Some(loaded) = &*slot {
            return Ok(loaded.clone());
        }
        let elf = objects::find(table.object).ok_or_else(missing)?;
        let (program, groups) = Program::load(table.object, elf, table.need, &self.readers, None)?;
        tracing::info!(object = table.object, "loaded");
        let loaded = match groups {
            None => Loaded::Shared(Arc::new(program)),
            Some(groups) => {
                let first = Counter { program, groups };
                let counters = Counters::new(table.object, elf, self.readers.clone(), first);
                Loaded::Counting(Arc::new(counters))
            }
        };
        Ok(slot.insert(loaded).clone())
    }

    /// An iterator over tasks, or over what they hold, as the caller numbers them.
    fn task_iterator(
        &self,
        program: &Program,
        parameter: Parameter,
        caller: &Caller,
    ) -> Result<(OwnedFd, Settings)> {
        let mut settings = Settings::numbered_for(caller)?;
        if let Parameter::Process(process) = parameter {
            if settings.pid_namespace == 0
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

    /// What a summary's pass walks; the whole of a table, as no summary is narrowed.
    fn walk(&self, scope: Scope, caller: &Caller) -> Result<Walk> {
        let mut walk = Walk::default();
        if matches!(scope, Scope::PidNamespace | Scope::PidAndNetNamespace) {
            walk.settings = Settings::numbered_for(caller)?;
        }
        if scope == Scope::PidAndNetNamespace {
            walk.settings.net_namespace = caller.net_namespace()?;
        }
        if scope == Scope::NetNamespace && caller.net_namespace()? != self.net_namespace {
            walk.net_namespace = Some(caller.open(Kind::Net)?);
        }
        Ok(walk)
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
        let scope = instance.table.table().scope;
        let program = match self.program(instance.table)? {
            Loaded::Shared(program) => program,
            Loaded::Counting(counters) => {
                return Ok(Summary::pass(counters, self.walk(scope, caller)?));
            }
        };
        let (fd, settings) = match scope {
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
