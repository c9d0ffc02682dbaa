//! Tables in memory behind the contract, so that the filesystem is tested without a kernel,
//! a mount or root.

use iterfs_mapping::caller::INITIAL_PID_NAMESPACE;
use iterfs_mapping::contract::{
    Callers, Cgroups, Form, Loaded, Map, NetNamespaces, ObjectFile, Pass, Pin, PinnedLink, Pins,
    Process, Processes, Programs, Progress, Source, Tables, UserTable,
};
use iterfs_mapping::row::{Column, Kind, Unit, Width};
use iterfs_mapping::{
    Caller, Contents, Error, Format, Instance, Narrowing, Result, Schema, Scope, Subject, TableId,
    Tenant, User, View, layout,
};
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The host's namespaces, by inode number.
pub(crate) const HOST_NET: u32 = 4_026_531_840;
pub(crate) const HOST_USER: u32 = 4_026_531_837;

/// A container's.
pub(crate) const CONTAINER_PID: u32 = 4_026_532_700;
pub(crate) const CONTAINER_NET: u32 = 4_026_532_701;

/// The machine.
#[derive(Default)]
pub(crate) struct Fake {
    state: Mutex<State>,
    /// Looks at one process, and facts read about callers.
    pub(crate) looks: AtomicUsize,
    pub(crate) identified: AtomicUsize,
}

/// Everything that a test may arrange.
#[derive(Default)]
pub(crate) struct State {
    /// Targets that the kernel lacks.
    pub(crate) lacking: HashSet<&'static str>,
    pub(crate) processes: Vec<Running>,
    pub(crate) callers: HashMap<u32, Known>,
    pub(crate) maps: Vec<Map>,
    pub(crate) net_namespaces: BTreeSet<u32>,
    pub(crate) net_names: Vec<(OsString, u32)>,
    /// Parent and name by id.
    pub(crate) cgroups: BTreeMap<u64, (u64, OsString)>,
    pub(crate) objects: HashMap<PathBuf, Object>,
    pub(crate) pins: BTreeMap<String, Contents>,
    /// Threads and the inodes that they have open.
    pub(crate) open: HashSet<(u32, u64)>,
    /// Threads that read asynchronously.
    pub(crate) asynchronous: HashSet<u32>,
    /// The error that the next open of a table fails with.
    pub(crate) broken: Option<i32>,
    user: BTreeMap<String, Loading>,
    last_user: u32,
    pub(crate) updated: HashMap<Subject, Object>,
}

/// A process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) started: u64,
    /// Its pid namespace, and its number there.
    pub(crate) namespace: u32,
    pub(crate) inner: u32,
}

/// A thread that may ask.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) caller: Caller,
    pub(crate) user: User,
    pub(crate) groups: Vec<u32>,
}

/// The program of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Object {
    /// It walks this target and writes records.
    Records(&'static str),
    /// It walks this target and prints text.
    Text(&'static str),
    /// The kernel refuses it with this errno.
    Refused(i32),
}

#[derive(Clone, Copy, Debug)]
struct Loading {
    number: u32,
    object: Object,
    narrowing: Narrowing,
}

impl Object {
    fn target(self) -> &'static str {
        match self {
            Object::Records(target) | Object::Text(target) => target,
            Object::Refused(_) => "",
        }
    }

    fn prints(self) -> bool {
        matches!(self, Object::Text(_))
    }

    fn form(self) -> Form {
        Form {
            formats: match self.prints() {
                true => &[Format::Text],
                false => &Format::ALL,
            },
            scope: layout::scope_of(self.target()).unwrap_or(Scope::Host),
        }
    }
}

impl Fake {
    /// Arranges or inspects the machine.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Adds a process of the host.
    pub(crate) fn run(&self, pid: u32, uid: u32) {
        self.state().processes.push(Running {
            pid,
            uid,
            started: u64::from(pid) * 1_000_000,
            namespace: INITIAL_PID_NAMESPACE,
            inner: pid,
        });
    }

    /// Adds a process of the container.
    pub(crate) fn run_contained(&self, pid: u32, uid: u32, inner: u32) {
        self.run(pid, uid);
        if let Some(process) = self.state().processes.last_mut() {
            process.namespace = CONTAINER_PID;
            process.inner = inner;
        }
    }

    /// Ends a process.
    pub(crate) fn end(&self, pid: u32) {
        self.state().processes.retain(|process| process.pid != pid);
    }

    /// Adds a thread on the host that may ask.
    pub(crate) fn know(&self, thread: u32, uid: u32, groups: &[u32]) {
        self.know_as(thread, uid, groups, |_| ());
    }

    /// Adds a thread in the container that may ask, root there and on the host.
    pub(crate) fn know_contained(&self, thread: u32, uid: u32) {
        self.know_as(thread, uid, &[], |caller| {
            caller.pid_namespace = CONTAINER_PID;
            caller.net_namespace = CONTAINER_NET;
            caller.is_on_host = false;
        });
    }

    fn know_as(&self, thread: u32, uid: u32, groups: &[u32], place: impl FnOnce(&mut Caller)) {
        let mut caller = Caller {
            thread: Some(thread),
            ..self.daemon()
        };
        place(&mut caller);
        let user = User {
            uid,
            gid: uid,
            effective: uid,
            user_namespace: caller.user_namespace,
            ..User::default()
        };
        let groups = groups.to_vec();
        self.state().callers.insert(
            thread,
            Known {
                caller,
                user,
                groups,
            },
        );
    }

    /// The rows of a table: a process's number and user each.
    fn rows(&self, narrowing: Narrowing, view: &View, scope: Scope) -> Vec<(u32, u32)> {
        let seen = self.seen(view);
        match (scope, narrowing) {
            (Scope::PidNamespace | Scope::PidAndNetNamespace, Narrowing::Process(pid)) => seen
                .into_iter()
                .filter(|process| process.inner == pid)
                .filter(|process| view.started.is_none_or(|at| at == process.started))
                .map(|process| (process.inner, process.uid))
                .collect(),
            (Scope::PidNamespace | Scope::PidAndNetNamespace, _) => seen
                .into_iter()
                .map(|process| (process.inner, process.uid))
                .collect(),
            (Scope::NetNamespace, Narrowing::NetNamespace(inode)) => vec![(inode, 0)],
            (Scope::NetNamespace, _) => vec![(view.caller.net_namespace, 0)],
            (Scope::Host, Narrowing::Map(id)) => vec![(id, 0)],
            (Scope::Host, Narrowing::Cgroup(id, _)) => vec![(id as u32, 0)],
            (Scope::Host, _) => vec![(7, 0)],
        }
    }

    /// The processes that a reader sees, under their numbers for it.
    fn seen(&self, view: &View) -> Vec<Running> {
        let state = self.state();
        let here = view.caller.pid_namespace;
        let all = state.processes.iter().copied();
        let visible = all.filter_map(|process| match here {
            INITIAL_PID_NAMESPACE => Some(Running {
                inner: process.pid,
                ..process
            }),
            here => (process.namespace == here).then_some(process),
        });
        let is_own = |process: &Running| view.own.is_none_or(|user| user.uid == process.uid);
        visible.filter(is_own).collect()
    }

    fn object(&self, file: &ObjectFile) -> Result<Object> {
        let found = self.state().objects.get(&file.path).copied();
        let missing = || Error::ObjectFile {
            path: file.path.clone(),
            cause: io::ErrorKind::NotFound.into(),
        };
        match found.ok_or_else(missing)? {
            Object::Refused(errno) => Err(Error::Load {
                object: file.name(),
                cause: io::Error::from_raw_os_error(errno),
                log: "the verifier says no".into(),
                full: "0: R1=ctx()\nthe verifier says no".into(),
            }),
            object => Ok(object),
        }
    }

    fn user_program(&self, number: u32) -> Result<Loading> {
        let state = self.state();
        let found = state.user.values().find(|program| program.number == number);
        found
            .copied()
            .ok_or_else(|| Error::NoUserTable(format!("#{number}")))
    }

    fn updated(&self, subject: Subject) -> Option<Object> {
        self.state().updated.get(&subject).copied()
    }
}

/// The shape of all rows.
pub(crate) fn schema() -> Schema {
    let number = |name: &str, offset| Column {
        name: name.into(),
        path: Vec::new(),
        doc: "a number".into(),
        offset,
        kind: Kind::Unsigned(Width::Four, Unit::None),
        absent: None,
    };
    Schema {
        row: "a fake row".into(),
        fixed_size: 8,
        tail_length: None,
        columns: vec![number("pid", 0), number("uid", 4)],
    }
}

/// Records that wait to be read, or bytes of text.
struct Bytes(Vec<u8>);

impl Source for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        let length = self.0.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0.drain(..length);
        Ok(match length {
            0 => Progress::End,
            length => Progress::Bytes(length),
        })
    }
}

impl Tables for Fake {
    fn present(&self, table: TableId) -> bool {
        !self.state().lacking.contains(table.table().target.name)
    }

    fn form(&self, table: TableId) -> Form {
        match self.updated(Subject::Table(table)) {
            Some(object) => object.form(),
            None => Form::of_layout(table.table().scope),
        }
    }

    fn user_tables(&self) -> Vec<UserTable> {
        let loaded = self.state().user.clone();
        let table = |(name, program): (String, Loading)| UserTable {
            name,
            number: program.number,
            form: program.object.form(),
        };
        loaded.into_iter().map(table).collect()
    }

    fn open(&self, contents: Contents, view: &View) -> Result<Pass> {
        if let Some(errno) = self.state().broken.take() {
            return Err(Error::Pass(io::Error::from_raw_os_error(errno)));
        }
        let (form, narrowing, prints) = match contents {
            Contents::Table(Instance { table, narrowing }) => {
                if !self.present(table) {
                    return Err(Error::NoTarget(table.table().target));
                }
                let object = self.updated(Subject::Table(table));
                let prints = object.is_some_and(Object::prints);
                (self.form(table), narrowing, prints)
            }
            Contents::User(number) => {
                let program = self.user_program(number)?;
                let object = self.updated(contents.subject()).unwrap_or(program.object);
                (object.form(), program.narrowing, object.prints())
            }
        };
        let rows = self.rows(narrowing, view, form.scope);
        let bytes = match prints {
            true => b"printed by the program\n".to_vec(),
            false => rows
                .into_iter()
                .flat_map(|(pid, uid)| [pid.to_ne_bytes(), uid.to_ne_bytes()].concat())
                .collect(),
        };
        Ok(Pass {
            schema: (!prints).then(|| Arc::new(schema())),
            source: Box::new(Bytes(bytes)),
            rest: Vec::new(),
            waits_for_processes: false,
        })
    }
}

impl Callers for Fake {
    fn daemon(&self) -> Caller {
        Caller {
            thread: None,
            pid_namespace: INITIAL_PID_NAMESPACE,
            net_namespace: HOST_NET,
            user_namespace: HOST_USER,
            is_on_host: true,
        }
    }

    fn identify(&self, thread: u32) -> Result<Caller> {
        self.identified.fetch_add(1, Ordering::Relaxed);
        let known = self.state().callers.get(&thread).cloned();
        let unknown = || Error::Caller(io::ErrorKind::PermissionDenied.into());
        Ok(known.ok_or_else(unknown)?.caller)
    }

    fn tenant(&self, caller: &Caller, uid: u32) -> Result<Tenant> {
        let container = (!caller.is_on_host).then_some(caller.pid_namespace);
        Ok(Tenant { uid, container })
    }

    fn user(&self, caller: &Caller) -> Result<User> {
        let state = self.state();
        let known = caller.thread.and_then(|thread| state.callers.get(&thread));
        Ok(known.map(|known| known.user).unwrap_or_default())
    }

    fn groups(&self, caller: &Caller) -> Result<Vec<u32>> {
        let state = self.state();
        let known = caller.thread.and_then(|thread| state.callers.get(&thread));
        Ok(known.map(|known| known.groups.clone()).unwrap_or_default())
    }

    fn has_open(&self, caller: &Caller, inode: u64) -> Result<bool> {
        let thread = caller.thread.unwrap_or_default();
        Ok(self.state().open.contains(&(thread, inode)))
    }

    fn reads_asynchronously(&self, thread: u32) -> bool {
        self.state().asynchronous.contains(&thread)
    }
}

impl Processes for Fake {
    fn processes(&self, view: &View) -> Result<Vec<Process>> {
        let seen = self.seen(view).into_iter();
        let process = |process: Running| Process {
            pid: process.inner,
            started: process.started,
            slots: 64,
        };
        Ok(seen.map(process).collect())
    }

    fn process(&self, view: &View, pid: u32) -> Result<Option<Process>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let seen = self.processes(view)?;
        Ok(seen.into_iter().find(|process| process.pid == pid))
    }

    fn maps(&self) -> Result<Vec<Map>> {
        Ok(self.state().maps.clone())
    }
}

impl NetNamespaces for Fake {
    fn net_namespaces(&self) -> Result<BTreeSet<u32>> {
        Ok(self.state().net_namespaces.clone())
    }

    fn net_namespace_names(&self) -> Result<Vec<(OsString, u32)>> {
        Ok(self.state().net_names.clone())
    }

    fn net_namespace_exists(&self, inode: u32) -> Result<bool> {
        let state = self.state();
        let is_named = state.net_names.iter().any(|(_, named)| *named == inode);
        Ok(is_named || state.net_namespaces.contains(&inode))
    }
}

impl Cgroups for Fake {
    fn cgroups_below(&self, id: u64) -> Result<Vec<(OsString, u64)>> {
        let state = self.state();
        let below = state
            .cgroups
            .iter()
            .filter(|(_, (parent, _))| *parent == id);
        Ok(below.map(|(id, (_, name))| (name.clone(), *id)).collect())
    }

    fn cgroup_below(&self, id: u64, name: &OsStr) -> Result<Option<u64>> {
        let below = self.cgroups_below(id)?;
        let found = below.into_iter().find(|(own, _)| own == name);
        Ok(found.map(|(_, id)| id))
    }

    fn cgroup_exists(&self, id: u64) -> Result<bool> {
        Ok(id == 0 || self.state().cgroups.contains_key(&id))
    }
}

impl Programs for Fake {
    fn load(&self, name: &str, object: &ObjectFile, narrowing: Narrowing) -> Result<()> {
        let object = self.object(object)?;
        let mut state = self.state();
        if state.user.contains_key(name) {
            return Err(Error::NameTaken(name.into()));
        }
        state.last_user += 1;
        let number = state.last_user;
        let program = Loading {
            number,
            object,
            narrowing,
        };
        state.user.insert(name.into(), program);
        Ok(())
    }

    fn unload(&self, name: &str) -> Result<()> {
        let removed = self.state().user.remove(name);
        removed
            .map(drop)
            .ok_or_else(|| Error::NoUserTable(name.into()))
    }

    fn update(&self, contents: Contents, file: &ObjectFile, pinned: &[PinnedLink]) -> Result<()> {
        let object = self.object(file)?;
        let needed = match contents {
            Contents::Table(instance) => instance.table.table().target.name,
            Contents::User(number) => self.user_program(number)?.object.target(),
        };
        if object.target() != needed {
            return Err(Error::OtherTarget {
                needed: needed.into(),
                found: object.target().into(),
            });
        }
        if !object.prints() && !pinned.is_empty() {
            return Err(Error::Pinned(file.name()));
        }
        self.state().updated.insert(contents.subject(), object);
        Ok(())
    }

    fn restore(&self, instance: Instance, _: &[PinnedLink]) -> Result<()> {
        let subject = Subject::Table(instance.table);
        self.state().updated.remove(&subject);
        Ok(())
    }

    fn loaded(&self) -> Vec<Loaded> {
        let state = self.state();
        let loaded = state.user.iter().map(|(name, program)| Loaded {
            table: Subject::User(program.number),
            name: Some(name.clone()),
            target: program.object.target().into(),
            object: Some("/object.o".into()),
            schema: (!program.object.prints()).then(|| Arc::new(schema())),
            program: 100 + program.number,
            tag: [0; 8],
            link: Some(200 + program.number),
        });
        loaded.collect()
    }
}

impl Pins for Fake {
    fn pin_path(&self, name: &str) -> PathBuf {
        PathBuf::from("/bpffs").join(name)
    }

    fn pin(&self, contents: Contents, name: &str) -> Result<PathBuf> {
        let path = self.pin_path(name);
        let failed = |errno| Error::Pin {
            path: path.clone(),
            cause: io::Error::from_raw_os_error(errno),
        };
        if name.contains('.') {
            return Err(failed(libc::EPERM));
        }
        if let Contents::User(number) = contents
            && !self.user_program(number)?.object.prints()
        {
            let why = "its program writes records, not text";
            return Err(Error::NoText("user".into(), why));
        }
        let mut state = self.state();
        if state.pins.contains_key(name) {
            return Err(failed(libc::EEXIST));
        }
        state.pins.insert(name.into(), contents);
        Ok(path)
    }

    fn unpin(&self, name: &str) -> Result<()> {
        let removed = self.state().pins.remove(name);
        let path = self.pin_path(name);
        let cause = io::Error::from_raw_os_error(libc::ENOENT);
        removed.map(drop).ok_or(Error::Pin { path, cause })
    }

    fn pins(&self) -> Result<Vec<Pin>> {
        let state = self.state();
        let pins = state.pins.iter().enumerate();
        let pin = |(at, (name, contents)): (usize, (&String, &Contents))| {
            let (target, program_name, narrowing, link) = match contents {
                Contents::Table(instance) => {
                    let table = instance.table.table();
                    let name: String = format!("dump_{}", table.object).chars().take(15).collect();
                    (
                        table.target.name,
                        name,
                        Some(instance.narrowing),
                        300 + at as u32,
                    )
                }
                Contents::User(number) => ("task", "user".into(), None, 200 + number),
            };
            Pin {
                name: name.clone(),
                link,
                program: 1,
                program_name,
                tag: [0; 8],
                target: target.into(),
                narrowing,
            }
        };
        Ok(pins.map(pin).collect())
    }
}
