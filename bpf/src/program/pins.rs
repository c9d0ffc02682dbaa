//! Links pinned below one directory of a bpffs.
//!
//! The directory itself is the only record of pins: it includes pins of an earlier daemon, and
//! lacks those that somebody removed.

use crate::sys;
use iterfs_mapping::contract::Pin;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::{Narrowing, Order};
use libbpf_rs::query::{IterType, LinkInfo, LinkTypeInfo};
use libbpf_rs::{CgroupIterOrder, Program};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The usual mount point of bpffs.
const BPFFS: &str = "/sys/fs/bpf";

/// include/uapi/linux/magic.h, BPF_FS_MAGIC.
const BPF_FS_MAGIC: u32 = 0xcafe_4a11;

/// The id of the root of all cgroups (kernel/cgroup/cgroup.c, cgroup_init_early()).
const ROOT_CGROUP: u64 = 1;

/// The most levels of directories that are searched for pins.
const MAX_DEPTH: u32 = 64;

/// The directory of the pins.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    directory: PathBuf,
}

impl Pins {
    /// Pins below `directory`, which need not exist yet.
    pub(crate) fn below(directory: PathBuf) -> Pins {
        Pins { directory }
    }

    /// The path of a pin.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Pins a link under a name of one or more parts.
    ///
    /// # Errors
    /// EINVAL for a name that would leave the directory, EPERM for one that bpffs does not
    /// allow (a dot) or that leads through a symbolic link, EEXIST for one that exists. A
    /// failure leaves nothing behind.
    pub(crate) fn add(&self, name: &str, link: BorrowedFd<'_>) -> Result<PathBuf> {
        let path = self.path(name);
        let failed = |errno: Errno| Error::Pin {
            path: path.clone(),
            cause: errno.into(),
        };
        let (parents, last) = parts(name).map_err(failed)?;
        self.prepare()?;
        let mut made = Vec::new();
        let pinned = self.descend(&parents, &mut made).and_then(|directory| {
            let place = format!("/proc/self/fd/{}/{last}", directory.as_raw_fd());
            let place = CString::new(place).map_err(|_| Errno::INVAL)?;
            sys::pin(link, &place).map_err(errno)
        });
        if let Err(errno) = pinned {
            for (parent, name) in made.iter().rev() {
                // This fails if somebody has used the directory meanwhile; then it stays.
                let _ = rustix::fs::unlinkat(parent, *name, AtFlags::REMOVEDIR);
            }
            return Err(failed(errno));
        }
        Ok(path)
    }

    /// Removes a pin, and the directories that become empty.
    ///
    /// # Errors
    /// ENOENT if the pin does not exist; for invalid names, as [`Pins::add`].
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let failed = |errno: Errno| Error::Pin {
            path: self.path(name),
            cause: errno.into(),
        };
        let (parents, last) = parts(name).map_err(failed)?;
        let mut directories = vec![self.open().map_err(failed)?];
        for parent in &parents {
            let below = open_below(directories[directories.len() - 1].as_fd(), parent);
            directories.push(below.map_err(failed)?);
        }
        let mut innermost = directories.pop().ok_or_else(|| failed(Errno::NOENT))?;
        rustix::fs::unlinkat(&innermost, last, AtFlags::empty()).map_err(failed)?;
        for name in parents.iter().rev() {
            let Some(parent) = directories.pop() else {
                break;
            };
            if rustix::fs::unlinkat(&parent, *name, AtFlags::REMOVEDIR).is_err() {
                break;
            }
            innermost = parent;
        }
        drop(innermost);
        Ok(())
    }

    /// Opens a pinned link.
    ///
    /// # Errors
    /// As for [`Pins::remove`].
    pub(crate) fn link(&self, name: &str) -> Result<OwnedFd> {
        let path = self.path(name);
        open_pinned(&path).map_err(|cause| Error::Pin { path, cause })
    }

    /// The pinned links of iterators, by name.
    ///
    /// # Errors
    /// Those of reading the directories.
    pub(crate) fn list(&self) -> Result<Vec<Pin>> {
        let mut pins = Vec::new();
        // Without a bpffs, nothing is pinned.
        if self.is_bpffs() {
            self.collect("", MAX_DEPTH, &mut pins)?;
        }
        pins.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(pins)
    }

    fn collect(&self, below: &str, depth: u32, pins: &mut Vec<Pin>) -> Result<()> {
        let path = self.path(below);
        let failed = |cause| Error::Pin {
            path: path.clone(),
            cause,
        };
        let entries = match fs::read_dir(&path) {
            // Somebody removed the directory meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            // The names of our pins are UTF-8; skip anything else.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // The kernel makes these files itself (kernel/bpf/inode.c, populate_bpffs()). No
            // other name may contain a dot.
            if name.contains('.') {
                continue;
            }
            let name = match below {
                "" => name,
                below => format!("{below}/{name}"),
            };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() && depth > 0 {
                self.collect(&name, depth - 1, pins)?;
            } else if kind.is_file() {
                // Skip maps, programs and other links, and pins that were removed meanwhile.
                pins.extend(inspect(name, &entry.path()));
            }
        }
        Ok(())
    }

    fn is_bpffs(&self) -> bool {
        is_bpffs(&self.directory)
    }

    /// Ensures that the directory exists on a bpffs.
    fn prepare(&self) -> Result<()> {
        if self.is_bpffs() {
            return Ok(());
        }
        let failed = |cause| Error::Pin {
            path: self.directory.clone(),
            cause,
        };
        let customary = Path::new(BPFFS);
        let in_customary = self.directory.starts_with(customary);
        if in_customary && !is_bpffs(customary) {
            mount_bpffs(customary).map_err(failed)?;
        }
        fs::create_dir_all(&self.directory).map_err(failed)?;
        if !self.is_bpffs() {
            mount_bpffs(&self.directory).map_err(failed)?;
        }
        Ok(())
    }

    fn open(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(&self.directory, flags, Mode::empty())
    }

    /// Opens the directory of a pin, and creates it if it does not exist.
    fn descend<'a>(
        &self,
        parents: &[&'a str],
        made: &mut Vec<(OwnedFd, &'a str)>,
    ) -> Result<OwnedFd, Errno> {
        let mut directory = self.open()?;
        for parent in parents {
            match rustix::fs::mkdirat(&directory, *parent, Mode::RWXU) {
                Ok(()) => {
                    let above = rustix::io::dup(&directory)?;
                    made.push((above, *parent));
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            directory = open_below(directory.as_fd(), parent)?;
        }
        Ok(directory)
    }
}

/// The directories of a name, and its last part.
fn parts(name: &str) -> Result<(Vec<&str>, &str), Errno> {
    let mut parts: Vec<_> = name.split('/').collect();
    let odd = |part: &&str| part.is_empty() || *part == "." || *part == ".." || part.contains('\0');
    if parts.iter().any(odd) {
        return Err(Errno::INVAL);
    }
    let last = parts.pop().ok_or(Errno::INVAL)?;
    Ok((parts, last))
}

fn open_below(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOTDIR) if is_symlink(directory, name) => Err(Errno::PERM),
        opened => opened,
    }
}

fn is_symlink(directory: BorrowedFd<'_>, name: &str) -> bool {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

fn is_bpffs(directory: &Path) -> bool {
    rustix::fs::statfs(directory).is_ok_and(|stat| stat.f_type as u32 == BPF_FS_MAGIC)
}

/// Mounts a bpffs that only root may enter, as bpftool does.
fn mount_bpffs(directory: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("bpf", directory, "bpf", flags, Some(c"mode=0700"))?;
    tracing::info!("mounted a bpffs on {}", directory.display());
    Ok(())
}

fn open_pinned(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    sys::open_pinned(&path)
}

/// The pin at a path, if it is the link of an iterator.
fn inspect(name: String, path: &Path) -> Option<Pin> {
    let link = open_pinned(path).ok()?;
    let info = LinkInfo::from_fd(link.as_fd()).ok()?;
    let LinkTypeInfo::Iter(iterator) = info.info else {
        return None;
    };
    let program = Program::fd_from_id(info.prog_id).ok()?;
    let program = sys::program_info(program.as_fd()).ok()?;
    Some(Pin {
        name,
        link: info.id,
        program: info.prog_id,
        program_name: program.name,
        tag: program.tag,
        target: iterator.target_name.to_string_lossy().into_owned(),
        narrowing: narrowing(&iterator.iter_type),
    })
}

fn narrowing(kind: &IterType) -> Option<Narrowing> {
    match *kind {
        IterType::Unknown | IterType::Task { tid: 0, pid: 0 } => Some(Narrowing::Nothing),
        IterType::Task { tid: 0, pid } => Some(Narrowing::Process(pid)),
        IterType::Task { .. } => None,
        IterType::Map { map_id } => Some(Narrowing::Map(map_id)),
        IterType::Cgroup {
            cgroup_id,
            ref order,
        } => {
            let order = match order {
                CgroupIterOrder::SelfOnly => Order::Itself,
                CgroupIterOrder::DescendantsPre => Order::Descendants,
                CgroupIterOrder::AncestorsUp => Order::Ancestors,
                _ => return None,
            };
            // The kernel takes 0 for the root when it makes the link, but reports the root's
            // id.
            let id = if cgroup_id == ROOT_CGROUP {
                0
            } else {
                cgroup_id
            };
            Some(Narrowing::Cgroup(id, order))
        }
    }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn names_stay_below_the_directory() {
        assert_eq!(parts("tcp"), Ok((vec![], "tcp")));
        assert_eq!(parts("net/tcp"), Ok((vec!["net"], "tcp")));
        for bad in [
            "", "/", "/tcp", "tcp/", "..", "a/../b", "./a", "a//b", "a\0b",
        ] {
            assert!(parts(bad).is_err(), "{bad:?}");
        }
    }
}
