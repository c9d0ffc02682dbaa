//! The namespaces of a thread: reads their inode numbers, and opens the files that enter them.

use crate::host::callers::directory;
use crate::sys;
use iterfs_mapping::error::{Error, Result};
use rustix::fs::{CWD, Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The deepest nesting of pid and user namespaces (include/linux/pid_namespace.h,
/// MAX_PID_NS_LEVEL; kernel/user_namespace.c).
const DEEPEST: usize = 40;

/// A kind of namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Pid,
    Net,
    User,
}

impl Kind {
    /// Its name in `/proc/<pid>/ns`.
    const fn name(self) -> &'static str {
        match self {
            Kind::Pid => "pid",
            Kind::Net => "net",
            Kind::User => "user",
        }
    }
}

/// The inode number of a namespace of a thread, or of this process.
///
/// It is parsed from the link's text, such as `net:[4026531840]` (namespaces(7)), which takes
/// half as long as stat(2) of the namespace.
pub(crate) fn inode(thread: Option<u32>, kind: Kind) -> Result<u32> {
    let mut text = [0; 32];
    let length = rustix::fs::readlinkat_raw(CWD, path(thread, kind), &mut text[..])
        .map_err(|errno| Error::Caller(errno.into()))?;
    parse(&text[..length], kind).ok_or_else(|| Error::Caller(io::ErrorKind::InvalidData.into()))
}

/// The inode number of a namespace of the thread with this directory in /proc.
pub(crate) fn inode_in(directory: BorrowedFd<'_>, kind: Kind) -> Result<u32> {
    let mut text = [0; 32];
    let name = format!("ns/{}", kind.name());
    let length = rustix::fs::readlinkat_raw(directory, name, &mut text[..])
        .map_err(|errno| Error::Caller(errno.into()))?;
    parse(&text[..length], kind).ok_or_else(|| Error::Caller(io::ErrorKind::InvalidData.into()))
}

fn parse(link: &[u8], kind: Kind) -> Option<u32> {
    let link = std::str::from_utf8(link).ok()?;
    let number = link.strip_prefix(kind.name())?;
    number.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

/// Opens a namespace of a thread, or of this process.
pub(crate) fn open(thread: Option<u32>, kind: Kind) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open(path(thread, kind), flags, Mode::empty())
        .map_err(|errno| Error::Caller(errno.into()))
}

fn path(thread: Option<u32>, kind: Kind) -> String {
    format!("{}/ns/{}", directory(thread), kind.name())
}

/// The outermost namespace, below the initial one, that contains this namespace or is it.
pub(crate) fn outermost(mut namespace: OwnedFd, initial: u32) -> Result<OwnedFd> {
    for _ in 0..DEEPEST {
        let parent = sys::parent_of_namespace(namespace.as_fd()).map_err(Error::Caller)?;
        if inode_of(&parent)? == initial {
            return Ok(namespace);
        }
        namespace = parent;
    }
    Err(Error::Caller(io::ErrorKind::InvalidData.into()))
}

/// The inode number of an open namespace.
pub(crate) fn inode_of(namespace: &OwnedFd) -> Result<u32> {
    let stat = rustix::fs::fstat(namespace).map_err(|errno| Error::Caller(errno.into()))?;
    u32::try_from(stat.st_ino).map_err(|_| Error::Caller(io::ErrorKind::InvalidData.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_link_has_the_inode_number_of_its_namespace() {
        for kind in [Kind::Pid, Kind::Net, Kind::User] {
            let opened = inode_of(&open(None, kind).unwrap()).unwrap();
            assert_eq!(inode(None, kind).unwrap(), opened);
        }
        assert_eq!(parse(b"net:[7]", Kind::Net), Some(7));
        for bad in [&b"net:[7]"[..], b"pid:[]", b"pid:[7", b"pid:7", b""] {
            assert_eq!(parse(bad, Kind::Pid), None);
        }
    }
}
