//! Cgroups of a test's own, and what cgroupfs says of them.

use crate::Row;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long the kernel may take over what it does later.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cgroup below the root, with a name of its own. It and all below it are
/// removed when dropped, and the processes in them killed.
#[derive(Debug)]
pub struct Cgroups {
    name: String,
    path: PathBuf,
    // After the path's last use: unmounts.
    _hierarchy: Hierarchy,
}

/// A cgroup as cgroupfs has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Its directory's inode number.
    pub id: u64,
    /// That of the directory it is in.
    pub parent: u64,
    /// Levels below the root.
    pub depth: u32,
    /// Its path from the root of the hierarchy.
    pub path: Vec<u8>,
}

impl Cgroups {
    /// Makes it, where cgroup2 is mounted.
    pub fn new() -> Cgroups {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("iterfs-test-{}-{number}", std::process::id());
        let hierarchy = Hierarchy::find();
        let path = hierarchy.path().join(&name);
        fs::create_dir(&path).expect("a cgroup");
        Cgroups {
            name,
            path,
            _hierarchy: hierarchy,
        }
    }

    /// Its name in the root, so its path below `cgroup/` too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes one below, with those on the way.
    pub fn make(&self, below: impl AsRef<Path>) -> PathBuf {
        let path = self.path.join(below);
        fs::create_dir_all(&path).expect("a cgroup");
        path
    }

    /// Makes one inside another until that many are nested, however long their path.
    pub fn nest(&self, name: &OsStr, many: u32) {
        let mut directory = open(&self.path);
        for _ in 0..many {
            rustix::fs::mkdirat(&directory, name, Mode::RWXU).expect("a cgroup");
            directory = open_at(directory.as_fd(), name).expect("the cgroup just made");
        }
    }

    /// It and all below, each before those below it, the older before the younger.
    pub fn found(&self) -> Vec<Found> {
        let root = self.path.parent().expect("the hierarchy's root");
        let mut found = Vec::new();
        let own = Found {
            id: inode(&open(&self.path)),
            parent: inode(&open(root)),
            depth: 1,
            path: [b"/", self.name.as_bytes()].concat(),
        };
        add_below(&open(&self.path), own, &mut found);
        found
    }
}

impl Default for Cgroups {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        let _ = fs::write(self.path.join("cgroup.freeze"), "0");
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
        let deadline = Instant::now() + PATIENCE;
        // Busy until the killed are gone.
        while Instant::now() < deadline && self.path.is_dir() {
            let _ = remove_below(&open(&self.path));
            if fs::remove_dir(&self.path).is_err() {
                thread::yield_now();
            }
        }
    }
}

/// The ids of rows, in their order.
pub fn ids(rows: &[Row]) -> Vec<u64> {
    let id = |row: &Row| row["id"].as_u64().expect("an id");
    rows.iter().map(id).collect()
}

/// The value of a line of a file such as cgroup.stat.
pub fn value(directory: &Path, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(directory.join(file)).expect("a cgroup's file");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
        .unwrap_or_else(|| unreachable!("no {key} in {text:?}"))
}

/// The lines of a file, none where the cgroup has no such file.
pub fn lines(directory: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Waits until a line of a file has this value.
pub fn wait_for(directory: &Path, file: &str, key: &str, wanted: u64) {
    let deadline = Instant::now() + PATIENCE;
    while value(directory, file, key) != wanted {
        assert!(Instant::now() < deadline, "{key} does not become {wanted}");
        thread::yield_now();
    }
}

/// The mount of cgroup2: the host's, or else one of our own.
#[derive(Debug)]
enum Hierarchy {
    Hosts(PathBuf),
    Own(TempDir),
}

impl Hierarchy {
    fn find() -> Hierarchy {
        let mounts = fs::read_to_string("/proc/mounts").expect("the mounts");
        let place = mounts.lines().find_map(|line| {
            let fields: Vec<_> = line.split(' ').collect();
            (fields[2] == "cgroup2").then(|| PathBuf::from(fields[1]))
        });
        place.map_or_else(Hierarchy::mount, Hierarchy::Hosts)
    }

    fn mount() -> Hierarchy {
        let place = tempfile::tempdir().expect("a directory to mount on");
        let kind = Some("cgroup2");
        mount(kind, place.path(), kind, MsFlags::empty(), None::<&str>).expect("cgroup2");
        Hierarchy::Own(place)
    }

    fn path(&self) -> &Path {
        match self {
            Hierarchy::Hosts(path) => path,
            Hierarchy::Own(place) => place.path(),
        }
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        if let Hierarchy::Own(place) = self {
            let _ = umount2(place.path(), MntFlags::MNT_DETACH);
        }
    }
}

fn open(path: &Path) -> OwnedFd {
    open_at(rustix::fs::CWD, path.as_os_str()).expect("a cgroup's directory")
}

fn open_at(directory: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

fn inode(directory: &OwnedFd) -> u64 {
    rustix::fs::fstat(directory).expect("a directory").st_ino
}

/// The directories in one, the older first: ids are counted up.
fn directories(directory: &OwnedFd) -> Vec<(u64, OsString)> {
    let entries = Dir::read_from(directory).expect("a directory");
    let entries = entries.map(|entry| entry.expect("an entry"));
    let mut names: Vec<_> = entries
        .filter(|entry| entry.file_type() == FileType::Directory)
        .map(|entry| (entry.ino(), CString::from(entry.file_name()).into_bytes()))
        .filter(|(_, name)| name != b"." && name != b"..")
        .map(|(inode, name)| (inode, OsString::from_vec(name)))
        .collect();
    names.sort();
    names
}

fn add_below(directory: &OwnedFd, own: Found, found: &mut Vec<Found>) {
    let (parent, depth) = (own.id, own.depth + 1);
    let prefix = own.path.clone();
    found.push(own);
    for (id, name) in directories(directory) {
        let path = [&prefix, &b"/"[..], name.as_bytes()].concat();
        let own = Found {
            id,
            parent,
            depth,
            path,
        };
        let below = open_at(directory.as_fd(), &name).expect("a cgroup's directory");
        add_below(&below, own, found);
    }
}

fn remove_below(directory: &OwnedFd) -> Result<(), Errno> {
    for (_, name) in directories(directory) {
        remove_below(&open_at(directory.as_fd(), &name)?)?;
        rustix::fs::unlinkat(directory, &name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}
