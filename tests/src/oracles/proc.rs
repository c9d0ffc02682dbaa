//! Reads /proc, the oracle for the tables of tasks and files.

use crate::fixtures::users::User;
use nix::sys::stat::{FileStat, major, minor, stat};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A tick of /proc's clocks in nanoseconds (USER_HZ is 100 everywhere that matters).
pub const TICK: u64 = 10_000_000;

/// The directory of a process.
pub fn process(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

/// The directory of a thread.
pub fn thread(pid: u32, tid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/task/{tid}"))
}

/// A process's first child; none if it has none, or is gone.
pub fn first_child(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(process(pid).join(format!("task/{pid}/children")));
    children.ok()?.split_whitespace().next()?.parse().ok()
}

/// Whether /proc shows a user what a process holds.
pub fn shows_to(user: &User, pid: u32) -> bool {
    let path = process(pid).join("fd/0");
    user.run(|| fs::read_link(path).is_ok())
}

/// The numbers in a directory's names: its processes, threads or descriptors.
pub fn numbers(directory: &Path) -> Vec<u32> {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| unreadable(directory, &error))
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut numbers: Vec<u32> = entries.collect();
    numbers.sort_unstable();
    numbers
}

/// `stat` of a process or thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stat {
    comm: Vec<u8>,
    fields: Vec<String>,
}

impl Stat {
    /// Reads `stat` in a directory of /proc.
    ///
    /// # Errors
    /// If the task is gone.
    pub fn read(directory: &Path) -> io::Result<Stat> {
        let bytes = fs::read(directory.join("stat"))?;
        let position = |byte| bytes.iter().position(|&other| other == byte);
        let open = position(b'(').expect("a name in stat");
        let close = bytes.iter().rposition(|&byte| byte == b')');
        let close = close.expect("the end of the name in stat");
        let fields = String::from_utf8_lossy(&bytes[close + 1..]);
        Ok(Stat {
            comm: bytes[open + 1..close].to_vec(),
            fields: fields.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// The task's name.
    pub fn comm(&self) -> &[u8] {
        &self.comm
    }

    /// A number by its field in proc_pid_stat(5), which counts from 1.
    pub fn number(&self, field: usize) -> i64 {
        self.field(field).parse().expect("a number in stat")
    }

    /// The state, as the tables name it.
    pub fn state(&self) -> &'static str {
        match self.field(3) {
            "R" => "running",
            "S" => "sleeping",
            "D" => "disk_sleep",
            "T" => "stopped",
            "t" => "tracing_stop",
            "X" => "dead",
            "Z" => "zombie",
            "P" => "parked",
            "I" => "idle",
            _ => "a state unknown to the tests",
        }
    }

    /// The scheduling policy, as the tables name it.
    pub fn policy(&self) -> &'static str {
        let names = ["other", "fifo", "rr", "batch", "iso", "idle", "deadline"];
        names[self.number(41) as usize]
    }

    fn field(&self, field: usize) -> &str {
        &self.fields[field - 3]
    }
}

/// `status` of a process or thread, by key.
#[derive(Debug)]
pub struct Status(HashMap<String, String>);

impl Status {
    /// Reads `status` in a directory of /proc.
    pub fn read(directory: &Path) -> Status {
        Status(keyed(&directory.join("status")))
    }

    /// A value as it stands.
    pub fn text(&self, key: &str) -> &str {
        let value = self.0.get(key);
        value.unwrap_or_else(|| unreachable!("status has no {key}"))
    }

    /// One number of several, such as the effective of the four user ids.
    pub fn number(&self, key: &str, index: usize) -> u64 {
        let word = self.text(key).split_whitespace().nth(index);
        word.and_then(|word| word.parse().ok())
            .unwrap_or_else(|| unreachable!("{key} in status has no number {index}"))
    }
}

/// The columns that name a task's namespaces, and /proc's names of these.
pub const NAMESPACES: [(&str, &str); 5] = [
    ("pidns", "pid"),
    ("netns", "net"),
    ("mntns", "mnt"),
    ("userns", "user"),
    ("cgroupns", "cgroup"),
];

/// The inode number of a task's namespace; none for a kind that it has left.
pub fn namespace(directory: &Path, kind: &str) -> Option<u64> {
    let link = fs::read_link(directory.join("ns").join(kind)).ok()?;
    let inode = link.to_str()?.split_once(":[")?.1.strip_suffix(']')?;
    inode.parse().ok()
}

/// The nanoseconds that a thread has run, exactly.
pub fn runtime(directory: &Path) -> u64 {
    let path = directory.join("schedstat");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| unreadable(&path, &error));
    let word = text.split_whitespace().next();
    word.and_then(|word| word.parse().ok())
        .expect("a number in schedstat")
}

/// Where the unified cgroup hierarchy is mounted.
pub fn cgroup_root() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let mut mounts = mounts.lines().filter(|line| line.contains(" - cgroup2 "));
    let line = mounts.next().expect("a mounted cgroup2");
    PathBuf::from(line.split(' ').nth(4).expect("a mount point"))
}

/// The id of a task's cgroup in the unified hierarchy: its directory's inode number.
pub fn cgroup(directory: &Path) -> u64 {
    let groups = fs::read_to_string(directory.join("cgroup")).expect("a task's cgroups");
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let path = cgroup_root().join(unified.expect("a unified cgroup"));
    stat(&path).expect("the cgroup's directory").st_ino
}

/// An open descriptor, as /proc shows it.
#[derive(Debug)]
pub struct Descriptor {
    /// The target of its link.
    pub link: Vec<u8>,
    /// Its flags, the access mode and close-on-exec among them.
    pub flags: u64,
    /// Its position.
    pub pos: u64,
    /// The open file's own attributes.
    pub stat: FileStat,
}

impl Descriptor {
    /// Reads `fd/<n>` and `fdinfo/<n>` of a process or thread.
    pub fn read(directory: &Path, fd: u32) -> Descriptor {
        let link = directory.join("fd").join(fd.to_string());
        let info = keyed(&directory.join("fdinfo").join(fd.to_string()));
        let target = fs::read_link(&link).unwrap_or_else(|error| unreadable(&link, &error));
        Descriptor {
            link: target.as_os_str().as_bytes().to_vec(),
            flags: u64::from_str_radix(&info["flags"], 8).expect("octal flags"),
            pos: info["pos"].parse().expect("a position"),
            stat: stat(&link).expect("attributes of an open file"),
        }
    }
}

/// A device number, as the tables show it.
pub fn device(number: u64) -> String {
    format!("{}:{}", major(number), minor(number))
}

/// Bytes as the tables' JSON shows them: as they are where they are UTF-8, else
/// with the rest and backslashes as `\ooo`.
pub fn shown(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\134"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\{byte:03o}"));
        }
    }
    text
}

/// The lines `key: value` of a file.
fn keyed(path: &Path) -> HashMap<String, String> {
    let bytes = fs::read(path).unwrap_or_else(|error| unreadable(path, &error));
    String::from_utf8_lossy(&bytes)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

fn unreadable(path: &Path, error: &io::Error) -> ! {
    unreachable!("{}: {error}", path.display())
}
