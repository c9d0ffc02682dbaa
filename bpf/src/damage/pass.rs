//! Passes of a damaged program, as several readers see them.

use crate::load::loader::Loaded;
use crate::pass::briefing::Briefing;
use crate::pass::iterator::Iterator as Pass;
use crate::pass::readers::{CgroupRange, Settings};
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

/// Whether a table can be walked row by row without a parameter.
pub(super) fn is_walked(table: &Table) -> bool {
    !matches!(table.need, Need::Map(_)) && !table.places.contains(&Place::Summary)
}

/// Tables whose columns /proc shows to everyone for any process, except for `exe`.
pub(super) const PUBLIC: [&str; 2] = ["tasks", "processes"];

/// The fault of a pass without rows.
pub(super) const NO_ROWS: &str = "no row is left";

/// The rows of a pass.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) count: usize,
    columns: Vec<Seen>,
    /// The process of each row, in tables of processes, and whether the row shows more than
    /// /proc shows to everyone.
    processes: Vec<(u64, bool)>,
}

/// The values of a column in all rows.
#[derive(Clone, Default)]
struct Seen {
    name: String,
    absent: usize,
    /// The number of rows in which the column's bytes are zeros and the value is not absent.
    zero: usize,
}

/// One pass over a table as a reader sees it.
pub(super) fn rows(table: &Table, loaded: &Loaded, settings: &Settings) -> Result<Rows, String> {
    let failed = |error: std::io::Error| format!("it loads, but cannot be walked: {error}");
    let to = match table.need {
        Need::Cgroup(_) => Attachment::to(Narrowing::Cgroup(0, Order::Descendants)),
        Need::Nothing | Need::Map(_) => Ok(Attachment::EVERYTHING),
    }
    .map_err(|error| error.to_string())?;
    let settings = Settings {
        range: CgroupRange {
            budget: 16 * 1024,
            ..CgroupRange::default()
        },
        ..*settings
    };
    let link = sys::link_create(loaded.fd.as_fd(), &to).map_err(failed)?;
    let pass = sys::iterator_create(link.as_fd()).map_err(failed)?;
    let readers = loaded.readers.as_ref();
    let briefing = Briefing {
        reader: readers.map(|readers| (Arc::clone(readers), settings)),
        question: None,
    };
    let mut pass = Pass::new(pass, briefing);
    let schema = loaded.schema.as_ref().unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match pass.read(&mut buffer).map_err(|error| error.to_string())? {
            Progress::End => break,
            Progress::Nothing => {}
            Progress::Bytes(count) => bytes.extend_from_slice(&buffer[..count]),
        }
        // A walk over cgroups ends when its buffer is full.
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
            let mut shows_more = !PUBLIC.contains(&table.name);
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
                    ("exe", Value::Text(_)) => shows_more = true,
                    _ => {}
                }
            }
            rows.processes.extend(process.map(|pid| (pid, shows_more)));
        }
        rows
    }

    fn has(&self, process: u64) -> bool {
        self.processes.iter().any(|(pid, _)| *pid == process)
    }

    /// Losses that the other rows hide: all rows are missing, or most values of a column were
    /// not zero and now all are, which is wrong data.
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

/// A user with two processes, one of which the user may not examine; a user without processes;
/// and a pid namespace with one process.
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
        // The reply shows that the process runs.
        let (ask, answer) = (&mut contained.stdin, &mut contained.stdout);
        ask.as_mut().unwrap().write_all(b"x").unwrap();
        answer.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let pid = contained.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let namespace = fs::metadata(format!("/proc/{}/ns/pid", children.trim())).unwrap();
        People {
            // Only root may examine a process whose program its user cannot read (fs/exec.c,
            // would_dump()).
            open: start("open", 0o755),
            closed: start("closed", 0o711),
            contained,
            namespace: namespace.ino() as u32,
        }
    }

    /// The user, who sees only its own processes.
    pub(super) fn owner(&self) -> Settings {
        Settings {
            uid: USER,
            gid: USER,
            effective: USER,
            // The initial user namespace, which belongs to root (include/uapi/linux/nsfs.h,
            // USER_NS_INIT_INO).
            user_namespace: 0xEFFF_FFFD,
            own: 1,
            ..Settings::default()
        }
    }

    /// A user for whom all tables of processes are empty.
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

    /// Facts that rows must not show: to the user, those of other users and of its closed
    /// process; to the namespace, those of processes outside it.
    pub(super) fn secrets(&self, own: &Rows, inside: &Rows) -> Vec<String> {
        let open = u64::from(self.open.id());
        let closed = u64::from(self.closed.id());
        let foreign = own.processes.iter().filter(|(pid, shows_more)| match *pid {
            pid if pid == open => false,
            pid if pid == closed => *shows_more,
            _ => true,
        });
        let foreign = foreign.map(|(pid, _)| format!("a user sees process {pid}"));
        let outside = inside.processes.iter().filter(|(pid, _)| *pid != 1);
        let outside = outside.map(|(pid, _)| format!("a namespace sees process {pid}"));
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
