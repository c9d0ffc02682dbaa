//! Opens net namespaces by their inode numbers.
//!
//! A net namespace is entered through a task in it, or through a name that ip-netns(8) gave it.
//! No descriptor is kept open, because that would keep the namespace alive. Only the path where
//! the namespace was last found is kept, and it is checked again each time.

use crate::host::inventory::{Thread, rows};
use crate::kernel::Kernel;
use iterfs_mapping::Narrowing;
use iterfs_mapping::error::{Error, Result};
use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The directory in which ip-netns(8) keeps names.
const NAMES: &str = "/run/netns";

/// include/uapi/linux/magic.h, NSFS_MAGIC.
const NSFS_MAGIC: u32 = 0x6e73_6673;

/// The most remembered paths; at this limit all are forgotten.
const MAX_REMEMBERED: usize = 4096;

/// The net namespaces of the host.
#[derive(Debug, Default)]
pub(crate) struct NetNamespaces {
    found: Mutex<HashMap<u32, PathBuf>>,
}

impl NetNamespaces {
    /// The names of net namespaces, with their inode numbers.
    pub(crate) fn names(&self) -> Result<Vec<(OsString, u32)>> {
        let entries = match fs::read_dir(NAMES) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::Namespace(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::Namespace)?;
            // Skip a name on which no namespace is mounted yet, or any more.
            if let Some(inode) = inode_at(&entry.path()) {
                names.push((entry.file_name(), inode));
            }
        }
        Ok(names)
    }

    /// Whether a namespace with this inode number exists that can be entered.
    pub(crate) fn contains(&self, kernel: &Kernel, inode: u32) -> Result<bool> {
        match self.open(kernel, inode) {
            Ok(_) => Ok(true),
            Err(Error::NoNamespace(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens the namespace with this inode number, wherever it is found.
    pub(crate) fn open(&self, kernel: &Kernel, inode: u32) -> Result<OwnedFd> {
        let remembered = self.found.lock().get(&inode).cloned();
        if let Some(namespace) = remembered.and_then(|path| open_at(&path, inode)) {
            return Ok(namespace);
        }
        let named = self.names()?.into_iter().filter(|(_, own)| *own == inode);
        let named = named.map(|(name, _)| Path::new(NAMES).join(name));
        let held = tasks_in(kernel, inode)?.map(|tid| PathBuf::from(format!("/proc/{tid}/ns/net")));
        for path in named.chain(held) {
            if let Some(namespace) = open_at(&path, inode) {
                let mut found = self.found.lock();
                if found.len() >= MAX_REMEMBERED {
                    found.clear();
                }
                found.insert(inode, path);
                return Ok(namespace);
            }
        }
        Err(Error::NoNamespace(inode))
    }
}

/// Opens the namespace at a path, if it has this inode number.
fn open_at(path: &Path, inode: u32) -> Option<OwnedFd> {
    // If something else is at the path, opening it must not block.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let namespace = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&namespace).ok()?;
    (stat.st_ino == u64::from(inode) && is_namespace(&namespace).ok()?).then_some(namespace)
}

fn inode_at(path: &Path) -> Option<u32> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    is_namespace(&file).ok()?.then_some(stat.st_ino as u32)
}

fn is_namespace(file: &OwnedFd) -> Result<bool, Errno> {
    Ok(rustix::fs::fstatfs(file)?.f_type as u32 == NSFS_MAGIC)
}

/// The threads in a namespace, by their ids in this pid namespace.
fn tasks_in(kernel: &Kernel, inode: u32) -> Result<impl Iterator<Item = u32>> {
    let threads = rows::<Thread>(kernel, Narrowing::Nothing, &kernel.own_view())?;
    let held = threads.into_iter();
    Ok(held.filter_map(move |thread| (thread.net_namespace == inode).then_some(thread.id)))
}
