//! Sets up passes: chooses the walk that shows a table to a reader, and the settings of its
//! program.

use super::asking::Asks;
use super::{Kernel, form};
use crate::host::inventory;
use crate::host::namespaces::{self, Kind};
use crate::pass::cgroup_walk::CgroupWalk;
use crate::pass::each_cgroup::EachCgroup;
use crate::pass::iterator::{Iterator, Nothing};
use crate::pass::iterators::OfProgram;
use crate::pass::map;
use crate::pass::process_chain::ProcessChain;
use crate::pass::readers::Settings;
use crate::pass::summary::Walks;
use crate::pass::summary_pool::SummaryPool;
use crate::program::Program;
use crate::program::attachment::Attachment;
use crate::program::slot::Slot;
use iterfs_mapping::caller::INITIAL_PID_NAMESPACE;
use iterfs_mapping::contract::{Pass, Process, Source};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::{Caller, Instance, Narrowing, Order, Place, Scope, TableId, View};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The target of walks over tasks only.
const PROCESSES_TARGET: &str = "task";

/// The target whose walk takes the lock of each process's memory map.
const MAPPINGS_TARGET: &str = "task_vma";

/// The table with one row per cgroup, from a given cgroup down.
const CGROUPS: (Place, &str) = (Place::Cgroup, "cgroup.descendants");

impl Kernel {
    /// A pass over a table, and the program that makes it.
    pub(super) fn pass_from(
        &self,
        slot: &Slot,
        load: impl Fn() -> Result<Program>,
        Instance { table, narrowing }: Instance,
        view: &View,
    ) -> Result<(Arc<Program>, Pass)> {
        slot.with(load, |program| {
            let scope = form(table, program).scope;
            let (pass, _) = self.pass(program, scope, narrowing, view, &Asks::default())?;
            Ok(pass)
        })
    }

    /// A pass of a program for a reader, and the one process to which a question narrows the
    /// walk.
    pub(super) fn pass(
        &self,
        program: &Arc<Program>,
        scope: Scope,
        narrowing: Narrowing,
        view: &View,
        asks: &Asks,
    ) -> Result<(Pass, Option<u32>)> {
        // The filesystem checked at lookup that the caller's tree has the table, but an update
        // may have changed the scope since.
        let is_of_host = scope == Scope::Host || matches!(narrowing, Narrowing::NetNamespace(_));
        if is_of_host && !view.caller.is_on_host {
            return Err(Error::Caller(io::ErrorKind::PermissionDenied.into()));
        }
        if let Narrowing::Map(id) = narrowing
            && program.is_built_in()
        {
            return Ok((map::pass(program, id, view, asks.question.as_ref())?, None));
        }
        let mut walked = None;
        let mut rest = Vec::new();
        let source: Box<dyn Source> = match narrowing {
            Narrowing::Cgroup(id, order) if program.is_built_in() => {
                Box::new(CgroupWalk::new(program, id, order, asks.question.as_ref())?)
            }
            Narrowing::Nothing
                if let Narrowing::EachCgroup(root) = program.attachment().narrowing() =>
            {
                Box::new(self.each_cgroup(program, root, view)?)
            }
            Narrowing::Nothing
                if asks.process.is_none()
                    && let Some(parts) = self.by_process(program, scope, view, asks)? =>
            {
                let mut parts = parts
                    .into_iter()
                    .map(|part| Box::new(part) as Box<dyn Source>);
                let first = parts.next();
                rest.extend(parts);
                first.unwrap_or_else(|| Box::new(Nothing))
            }
            _ => {
                let made = self.iterator(program, scope, narrowing, view, asks.process)?;
                walked = asks.process.filter(|_| made.is_of_process);
                let briefing = program.briefing(made.settings, asks.question.as_ref());
                Box::new(Iterator::new(made.fd, briefing))
            }
        };
        let pass = Pass {
            schema: program.schema().map(Arc::clone),
            source,
            rest,
            // A user program may block on anything.
            waits_for_processes: !program.is_built_in() || program.target() == MAPPINGS_TARGET,
            asked: None,
        };
        Ok((pass, walked))
    }

    /// A pass of a user program with a separate walk for each cgroup from `root` down.
    fn each_cgroup(&self, program: &Arc<Program>, root: u64, view: &View) -> Result<EachCgroup> {
        let (place, name) = CGROUPS;
        let table = TableId::find(place, name).ok_or_else(|| Error::BadObject {
            object: "cgroups".into(),
            what: format!("no table {name}"),
        })?;
        let instance = Instance {
            table,
            narrowing: Narrowing::Cgroup(root, Order::Descendants),
        };
        let table = self.open_own(instance, view)?;
        let iterators = OfProgram::new(program, Settings::of(view), None);
        EachCgroup::new(Box::new(iterators), table)
    }

    /// A walk process by process, in parts, if it shows a reader the same rows sooner. That is
    /// the case for the objects of another pid namespace's processes, and for tables so large
    /// that several threads pay off.
    fn by_process(
        &self,
        program: &Arc<Program>,
        scope: Scope,
        view: &View,
        asks: &Asks,
    ) -> Result<Option<Vec<ProcessChain>>> {
        let caller = &view.caller;
        let is_of_processes = matches!(scope, Scope::PidNamespace | Scope::PidAndNetNamespace);
        // A walk over tasks takes no longer than listing the processes.
        if !is_of_processes || program.target() == PROCESSES_TARGET || !program.is_built_in() {
            return Ok(None);
        }
        let pid_namespace = namespace_for_bpf(caller);
        let target = program.target();
        let few_rows = asks
            .question
            .as_ref()
            .is_some_and(|question| question.has_tests());
        if pid_namespace == 0 && !self.splitter.may_pay(target, few_rows) {
            return Ok(None);
        }
        let Some(processes) = self.processes_here(view)? else {
            return Ok(None);
        };
        let parts = match self.splitter.parts(target, &processes, few_rows) {
            Some(parts) if pid_namespace != 0 || self.links_to_processes(program) => parts,
            _ if pid_namespace == 0 => {
                self.splitter.refuse(target);
                return Ok(None);
            }
            _ => vec![processes.iter().map(|process| process.pid).collect()],
        };
        let settings = of_whole(scope, view);
        let parts = parts.into_iter().map(|part| {
            let iterators = OfProgram::new(program, settings, asks.question.clone());
            ProcessChain::new(Box::new(iterators), part)
        });
        Ok(Some(parts.collect()))
    }

    /// Whether the kernel can narrow links to single processes (since 6.1).
    fn links_to_processes(&self, program: &Program) -> bool {
        let this = Attachment::to(Narrowing::Process(std::process::id()));
        this.is_ok_and(|this| program.iterator(&this).is_ok())
    }

    /// The processes that a reader sees, by their ids in the daemon's pid namespace and in the
    /// order of a walk; none if they cannot be determined.
    fn processes_here(&self, view: &View) -> Result<Option<Vec<Process>>> {
        let (place, name) = <Process as inventory::Row>::TABLE;
        if let Some(table) = TableId::find(place, name)
            && let (slot, load) = self.slot(table)?
            && slot.program(load)?.is_built_in()
        {
            let seen = inventory::rows(self, Narrowing::Nothing, view)?;
            return match namespace_for_bpf(&view.caller) {
                0 => Ok(Some(seen)),
                _ => self.callers.translated(&view.caller, &seen),
            };
        }
        Ok(None)
    }

    /// An iterator of a program for a reader. `process` is the only one whose rows are wanted of
    /// a whole table.
    fn iterator(
        &self,
        program: &Program,
        scope: Scope,
        narrowing: Narrowing,
        view: &View,
        process: Option<u32>,
    ) -> Result<Made> {
        let caller = &view.caller;
        let settings = Settings::of(view);
        if settings.is_needed() && !program.looks_up_readers() {
            return Err(Error::Caller(io::ErrorKind::PermissionDenied.into()));
        }
        match (scope, narrowing) {
            (_, Narrowing::NetNamespace(inode)) => {
                let (fd, pid_namespace) = self.in_namespace(program, scope, inode, caller)?;
                let settings = Settings {
                    net_namespace: inode,
                    pid_namespace,
                    ..settings
                };
                Ok(Made::whole(fd, settings))
            }
            (Scope::PidNamespace, _) => {
                let process = process_of(narrowing).or(process);
                self.task_iterator(program, process, caller, settings)
            }
            (Scope::PidAndNetNamespace, _) => {
                let settings = Settings {
                    net_namespace: match narrowing {
                        Narrowing::Nothing => caller.net_namespace,
                        _ => 0,
                    },
                    ..settings
                };
                let process = process_of(narrowing).or(process);
                self.task_iterator(program, process, caller, settings)
            }
            (Scope::NetNamespace, _) => {
                Ok(Made::whole(self.net_iterator(program, caller)?, settings))
            }
            // A user program numbers processes as the host does.
            (Scope::Host, _) => Ok(Made::whole(
                program.iterator(&Attachment::to(narrowing)?)?,
                settings,
            )),
        }
    }

    /// An iterator over tasks, or over their objects, numbered as in the caller's pid
    /// namespace.
    fn task_iterator(
        &self,
        program: &Program,
        process: Option<u32>,
        caller: &Caller,
        settings: Settings,
    ) -> Result<Made> {
        let pid_namespace = namespace_for_bpf(caller);
        let process = process.unwrap_or(0);
        let settings = Settings {
            pid_namespace,
            // A link can be narrowed to the process only since 6.1, and only by its number in
            // the daemon's pid namespace. Otherwise the program walks all processes and shows
            // one.
            process,
            ..settings
        };
        let here = match (process, pid_namespace) {
            (0, _) => None,
            (process, 0) => Some(process),
            (process, _) => self.callers.translated_process(caller, process),
        };
        if let Some(process) = here
            && let Ok(iterator) = program.iterator(&Attachment::to(Narrowing::Process(process))?)
        {
            return Ok(Made {
                fd: iterator,
                settings,
                is_of_process: true,
            });
        }
        let whole = program.iterator(&Attachment::EVERYTHING)?;
        Ok(Made::whole(whole, settings))
    }

    fn net_iterator(&self, program: &Program, caller: &Caller) -> Result<OwnedFd> {
        if caller.net_namespace == self.callers.daemon().net_namespace {
            return program.iterator(&Attachment::EVERYTHING);
        }
        let namespace = namespaces::open(caller.thread, Kind::Net)?;
        self.home.away(namespace.as_fd(), || {
            program.iterator(&Attachment::EVERYTHING)
        })
    }

    /// An iterator over the objects of a net namespace of the host.
    fn in_namespace(
        &self,
        program: &Program,
        scope: Scope,
        inode: u32,
        caller: &Caller,
    ) -> Result<(OwnedFd, u32)> {
        let pid_namespace = namespace_for_bpf(caller);
        // For objects that processes hold, the program compares the namespace.
        if scope != Scope::NetNamespace || inode == self.callers.daemon().net_namespace {
            return Ok((program.iterator(&Attachment::EVERYTHING)?, pid_namespace));
        }
        let namespace = self.net_namespaces.open(self, inode)?;
        let fd = self.home.away(namespace.as_fd(), || {
            program.iterator(&Attachment::EVERYTHING)
        })?;
        Ok((fd, pid_namespace))
    }

    /// The walks of a summary. No summary is narrowed, so they visit whole tables.
    pub(super) fn counting(
        &self,
        pool: Arc<SummaryPool>,
        scope: Scope,
        view: &View,
    ) -> Result<Walks> {
        let caller = &view.caller;
        let is_elsewhere = scope == Scope::NetNamespace
            && caller.net_namespace != self.callers.daemon().net_namespace;
        let elsewhere = is_elsewhere.then(|| namespaces::open(caller.thread, Kind::Net));
        Ok(Walks {
            pool,
            settings: of_whole(scope, view),
            net_namespace: elsewhere.transpose()?,
        })
    }
}

/// An iterator, and the settings of its program.
struct Made {
    fd: OwnedFd,
    settings: Settings,
    /// Whether the kernel narrows the walk to one process.
    is_of_process: bool,
}

impl Made {
    fn whole(fd: OwnedFd, settings: Settings) -> Made {
        Made {
            fd,
            settings,
            is_of_process: false,
        }
    }
}

/// The process to which a walk is narrowed.
fn process_of(narrowing: Narrowing) -> Option<u32> {
    match narrowing {
        Narrowing::Process(process) => Some(process),
        _ => None,
    }
}

/// The settings of a program that walks a whole table for a reader.
fn of_whole(scope: Scope, view: &View) -> Settings {
    let mut settings = Settings::of(view);
    if matches!(scope, Scope::PidNamespace | Scope::PidAndNetNamespace) {
        settings.pid_namespace = namespace_for_bpf(&view.caller);
    }
    if scope == Scope::PidAndNetNamespace {
        settings.net_namespace = view.caller.net_namespace;
    }
    settings
}

/// The number of a caller's pid namespace in the settings of programs; 0 for the initial one.
fn namespace_for_bpf(caller: &Caller) -> u32 {
    match caller.pid_namespace {
        INITIAL_PID_NAMESPACE => 0,
        inode => inode,
    }
}
