//! Passes of a damaged program: what it shows to whom.

use crate::load::loader::Loaded;
use crate::pass::iterator::Iterator as Pass;
use crate::pass::readers::{Settings, Walk};
use crate::program::attachment::Attachment;
use crate::sys;
use iterfs_mapping::contract::{Progress, Source as _};
use iterfs_mapping::row::Records;
use iterfs_mapping::row::{Kind, Schema, Value};
use iterfs_mapping::{Narrowing, Need, Order, Place, Table};
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Whether a table can be walked without being told of what, row by row.
pub(super) fn is_walked(table: &Table) -> bool {
    !matches!(table.need, Need::Map(_)) && !table.places.contains(&Place::Summary)
}

/// Tables that show of any process only what /proc tells everybody, except for `exe`.
pub(super) const PUBLIC: [&str; 2] = ["tasks", "processes"];

/// The fault of a pass that lost its rows.
pub(super) const NO_ROWS: &str = "no row is left";

/// The rows that a pass showed.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) count: usize,
    columns: Vec<Seen>,
    /// The process of each row, in tables of processes, and whether the row tells more
    /// than /proc tells anybody.
    processes: Vec<(u64, bool)>,
}

/// A column in all rows.
#[derive(Clone, Default)]
struct Seen {
    name: String,
    absent: usize,
    /// Rows in which its bytes are zeros, and that is a value.
    zero: usize,
}

/// One pass over a table as a reader sees it.
pub(super) fn rows(table: &Table, loaded: &Loaded, settings: &Settings) -> Result<Rows, String> {
    let told = |error: std::io::Error| format!("it loads, but cannot be walked: {error}");
    let to = match table.need {
        Need::Cgroup(_) => Attachment::to(Narrowing::Cgroup(0, Order::Descendants)),
        Need::Nothing | Need::Map(_) => Ok(Attachment::EVERYTHING),
    }
    .map_err(|error| error.to_string())?;
    let settings = Settings {
        walk: Walk {
            budget: 16 * 1024,
            ..Walk::default()
        },
        ..*settings
    };
    let link = sys::link_create(loaded.fd.as_fd(), &to).map_err(told)?;
    let pass = sys::iterator_create(link.as_fd()).map_err(told)?;
    let readers = loaded.readers.as_ref();
    let mut pass = Pass::new(pass, readers.map(|readers| (Arc::clone(readers), settings)));
    let schema = loaded.schema.as_ref().unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match pass.read(&mut buffer).map_err(|error| error.to_string())? {
            Progress::End => break,
            Progress::Nothing => {}
            Progress::Bytes(count) => bytes.extend_from_slice(&buffer[..count]),
        }
        // A walk over cgroups breaks off where its room ends.
        if matches!(table.need, Need::Cgroup(_)) {
            break;
        }
    }
    Ok(Rows::of(table, schema, &bytes))
}

impl Rows {
    fn of(table: &Table, schema: &Schema, bytes: &[u8]) -> Rows {
        let mut rows = Rows {
            columns: schema
                .columns
                .iter()
                .map(|column| Seen {
                    name: column.name.clone(),
                    ..Seen::default()
                })
                .collect(),
            ..Rows::default()
        };
        for record in Records::new(schema, bytes) {
            rows.count += 1;
            let mut process = None;
            let mut is_told = !PUBLIC.contains(&table.name);
            for (column, seen) in schema.columns.iter().zip(&mut rows.columns) {
                let value = column.value(record);
                match value {
                    Value::Absent => seen.absent += 1,
                    _ if column.kind != Kind::Tail => {
                        let at = column.offset..column.offset + column.kind.size();
                        let is_zero = record.fixed()[at].iter().all(|byte| *byte == 0);
                        seen.zero += usize::from(is_zero);
                    }
                    _ => {}
                }
                match (column.name.as_str(), value) {
                    ("pid", Value::Unsigned(pid)) => process = Some(pid),
                    ("exe", Value::Text(_)) => is_told = true,
                    _ => {}
                }
            }
            rows.processes.extend(process.map(|pid| (pid, is_told)));
        }
        rows
    }

    fn has(&self, process: u64) -> bool {
        self.processes.iter().any(|(pid, _)| *pid == process)
    }

    /// Silent losses in the other rows: all rows, or a column of which most values were
    /// something and all are zero now, which is a lie.
    pub(super) fn lost(&self, now: &Rows) -> Vec<String> {
        if self.count > 0 && now.count == 0 {
            return vec![NO_ROWS.into()];
        }
        if self.count < 8 {
            return Vec::new();
        }
        let lies = self.columns.iter().zip(&now.columns).filter(|(was, is)| {
            was.absent == 0 && 2 * was.zero < self.count && is.absent == 0 && is.zero == now.count
        });
        lies.map(|(_, is)| format!("{} is 0 in every row", is.name))
            .collect()
    }
}

/// A user with two processes, one of which is closed to it, a user without any, and a
/// pid namespace with one process.
pub(super) struct People {
    open: Child,
    closed: Child,
    contained: Child,
    namespace: u32,
}

const USER: u32 = 61_701;
const STRANGER: u32 = 61_702;

impl People {
    pub(super) fn new() -> People {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let start = |name: &str, mode| {
            let program = directory.path().join(name);
            fs::copy("/bin/sleep", &program).unwrap();
            fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
            let mut command = Command::new(program);
            command.arg("900").uid(USER).gid(USER);
            command.spawn().unwrap()
        };
        let mut contained = Command::new("unshare");
        let contained = contained.args(["--pid", "--fork", "--kill-child", "cat"]);
        let contained = contained.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut contained = contained.spawn().unwrap();
        // It answers, so it runs.
        let (ask, answer) = (&mut contained.stdin, &mut contained.stdout);
        ask.as_mut().unwrap().write_all(b"x").unwrap();
        answer.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = contained.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let namespace = fs::metadata(format!("/proc/{}/ns/pid", children.trim())).unwrap();
        People {
            // Nobody may look into a process whose program its user may not read
            // (fs/exec.c, would_dump()).
            open: start("open", 0o755),
            closed: start("closed", 0o711),
            contained,
            namespace: namespace.ino() as u32,
        }
    }

    /// The user, to whom only what is its own is shown.
    pub(super) fn owner(&self) -> Settings {
        Settings {
            uid: USER,
            gid: USER,
            effective: USER,
            // The initial one (include/uapi/linux/nsfs.h, USER_NS_INIT_INO), root's.
            user_namespace: 0xEFFF_FFFD,
            own: 1,
            ..Settings::default()
        }
    }

    /// To whom no table of processes shows anything.
    pub(super) fn stranger(&self) -> Settings {
        Settings {
            uid: STRANGER,
            gid: STRANGER,
            ..self.owner()
        }
    }

    /// A reader in the namespace.
    pub(super) fn inside(&self) -> Settings {
        Settings {
            pid_namespace: self.namespace,
            ..Settings::default()
        }
    }

    /// Facts that rows must not tell: to the user, those of others and of its closed
    /// process; to the namespace, those outside.
    pub(super) fn secrets(&self, own: &Rows, inside: &Rows) -> Vec<String> {
        let open = u64::from(self.open.id());
        let closed = u64::from(self.closed.id());
        let foreign = own.processes.iter().filter(|(pid, is_told)| match *pid {
            pid if pid == open => false,
            pid if pid == closed => *is_told,
            _ => true,
        });
        let foreign = foreign.map(|(pid, _)| format!("a user is told of process {pid}"));
        let outside = inside.processes.iter().filter(|(pid, _)| *pid != 1);
        let outside = outside.map(|(pid, _)| format!("a namespace is told of process {pid}"));
        foreign.chain(outside).collect()
    }

    pub(super) fn is_own_shown(&self, own: &Rows) -> bool {
        own.has(self.open.id().into())
    }

    pub(super) fn is_inside_shown(&self, inside: &Rows) -> bool {
        inside.has(1)
    }
}

impl Drop for People {
    fn drop(&mut self) {
        for child in [&mut self.open, &mut self.closed, &mut self.contained] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
