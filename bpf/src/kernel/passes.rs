//! The making of a pass: which walk shows a reader a table, and what its program is
//! told.

use super::{Kernel, form};
use crate::attachment::Attachment;
use crate::caller::{Caller, INITIAL_PID_NAMESPACE, Kind};
use crate::cgroup_walk::CgroupWalk;
use crate::each_cgroup::EachCgroup;
use crate::error::{Error, Result};
use crate::map;
use crate::process_chain::ProcessChain;
use crate::program::Program;
use crate::reader::Settings;
use crate::rows;
use crate::slot::Slot;
use crate::source::{Iterator, Nothing};
use crate::split::Process;
use crate::summary::Walk;
use crate::sys::{self, LinkTo};
use crate::tables::{Pass, Source, Tables, View};
use iterfs_mapping::{Instance, Order, Parameter, Place, Scope, TableId};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The table that has a row a process, and what it walks.
const PROCESSES: (Place, &str) = (Place::Root, "processes");
const PROCESSES_TARGET: &str = "task";

/// The target whose walk takes the lock of each process's memory map.
const MAPPINGS_TARGET: &str = "task_vma";

/// The table that has a row a cgroup, from one down.
const CGROUPS: (Place, &str) = (Place::Cgroup, "cgroup.descendants");

impl Kernel {
    /// A pass over a table, and the program that makes it.
    pub(super) fn pass_from(
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
    pub(super) fn pass(
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
            Parameter::None if let Attachment::EachCgroup(root) = program.attachment() => {
                Box::new(self.each_cgroup(program, *root, view)?)
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
            // A program that was brought may do what it likes.
            waits_for_processes: !program.is_own() || program.target() == MAPPINGS_TARGET,
        })
    }

    /// A pass of a user's program with a walk for each cgroup from one down.
    fn each_cgroup(&self, program: &Arc<Program>, root: u64, view: &View) -> Result<EachCgroup> {
        let (place, name) = CGROUPS;
        let table = TableId::find(place, name).ok_or_else(|| Error::BadObject {
            object: "cgroups".into(),
            what: format!("there is no table {name}"),
        })?;
        let instance = Instance {
            table,
            parameter: Parameter::Cgroup(root, Order::Descendants),
        };
        let readers = program.readers().map(Arc::clone);
        let settings = readers.map(|readers| (readers, Settings::of(view)));
        let table = self.open_own(instance, view)?;
        Ok(EachCgroup::new(program, settings, table))
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
        if pid_namespace == 0 && !self.splitter.may_pay(target) {
            return Ok(None);
        }
        let Some(processes) = self.processes_here(view)? else {
            return Ok(None);
        };
        let parts = match self.splitter.parts(target, &processes) {
            Some(parts) if pid_namespace != 0 || self.links_to_processes(program) => parts,
            _ if pid_namespace == 0 => {
                self.splitter.refuse(target);
                return Ok(None);
            }
            _ => vec![processes.iter().map(|process| process.pid).collect()],
        };
        let settings = of_whole(scope, view)?;
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
                let map = sys::map_by_id(id).map_err(Error::Map)?;
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

    /// What a summary's pass walks; the whole of a table, as no summary is narrowed.
    pub(super) fn walk(&self, scope: Scope, view: &View) -> Result<Walk> {
        let caller = &view.caller;
        let is_elsewhere =
            scope == Scope::NetNamespace && caller.net_namespace()? != self.net_namespace;
        Ok(Walk {
            settings: of_whole(scope, view)?,
            net_namespace: is_elsewhere.then(|| caller.open(Kind::Net)).transpose()?,
        })
    }
}

/// What the program of a whole table is told of its reader.
fn of_whole(scope: Scope, view: &View) -> Result<Settings> {
    let mut settings = Settings::of(view);
    if matches!(scope, Scope::PidNamespace | Scope::PidAndNetNamespace) {
        settings.pid_namespace = told(view.caller.pid_namespace()?);
    }
    if scope == Scope::PidAndNetNamespace {
        settings.net_namespace = view.caller.net_namespace()?;
    }
    Ok(settings)
}

/// A pid namespace as programs are told of it.
fn told(pid_namespace: u32) -> u32 {
    match pid_namespace {
        INITIAL_PID_NAMESPACE => 0,
        inode => inode,
    }
}
