//! Tables in memory behind the contract, so that the filesystem is tested without a kernel,
//! a mount or root. A test arranges the machine here; [`answers`] is the contract over it.

mod answers;

use iterfs_mapping::caller::INITIAL_PID_NAMESPACE;
use iterfs_mapping::contract::{Callers, Form, Map, ObjectFile};
use iterfs_mapping::row::{Column, Kind, Unit, Width};
use iterfs_mapping::{
    Caller, Contents, Error, Format, Narrowing, Result, Schema, Scope, Subject, User, View, layout,
};
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

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
    pub(crate) passes_over_maps: AtomicUsize,
    pub(crate) identified: AtomicUsize,
    /// Threads that have exited.
    pub(crate) gone: Arc<Mutex<HashSet<u32>>>,
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
        doc: "a number".into(),
        ..Column::new(name, offset, Kind::Unsigned(Width::Four, Unit::None))
    };
    Schema {
        row: "a fake row".into(),
        fixed_size: 8,
        tail_length: None,
        columns: vec![number("pid", 0), number("uid", 4)],
    }
}
