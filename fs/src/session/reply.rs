//! Replies to the kernel.

use super::Connection;
use super::abi::{self, Attr, Dirent, EntryOut};
use crate::error::Failure;
use crate::fuse::size::{END, Size};
use crate::operations::Attributes;
use crate::tree::inode;
use fuser::{Errno, FopenFlags};
use iterfs_mapping::Node;
use rustix::event::PollFlags;
use rustix::fs::FileType;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use zerocopy::IntoBytes;

/// The reply that a request is owed. If it is dropped, the caller gets EIO, so that no
/// caller waits forever.
#[derive(Debug)]
pub(crate) struct Reply {
    connection: Arc<Connection>,
    unique: u64,
    is_interruptible: bool,
    is_owed: bool,
}

impl Reply {
    pub(super) fn new(connection: Arc<Connection>, unique: u64, is_interruptible: bool) -> Reply {
        Reply {
            connection,
            unique,
            is_interruptible,
            is_owed: true,
        }
    }

    /// Whether the caller was interrupted and no longer waits.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.is_interruptible && !self.connection.interrupts.waits(self.unique)
    }

    /// Makes the caller wait to the end, signals or not. Returns false if it has given up.
    pub(crate) fn commit(&self) -> bool {
        !self.is_interruptible || self.connection.interrupts.commit(self.unique)
    }

    /// Answers with bytes.
    pub(crate) fn bytes(mut self, bytes: &[u8]) {
        self.send(Ok(bytes));
    }

    /// Answers with an errno.
    pub(crate) fn error(mut self, errno: Errno) {
        self.send(Err(errno));
    }

    /// Answers with the errno of a failure.
    pub(crate) fn failed(self, failure: &Failure) {
        self.error(failure.errno());
    }

    /// Answers that an operation has succeeded.
    pub(crate) fn done(self) {
        self.bytes(&[]);
    }

    /// Answers a lookup with the node's attributes. Returns false if the kernel never learns
    /// of the node, and so never forgets it.
    #[must_use]
    pub(crate) fn entry(mut self, found: &Attributes, size: Size) -> bool {
        self.send(Ok(entry_out(found, size).as_bytes()))
    }

    /// Answers with attributes.
    pub(crate) fn attributes(self, found: &Attributes, size: Size) {
        let (attr_valid, attr_valid_nsec) = lifetime(found, size);
        let out = abi::AttrOut {
            attr_valid,
            attr_valid_nsec,
            dummy: 0,
            attr: attr(found, size),
        };
        self.bytes(out.as_bytes());
    }

    /// Answers with an open handle. Returns false if the caller never learns of the handle,
    /// and so never closes it.
    #[must_use]
    pub(crate) fn opened(mut self, handle: u64, flags: FopenFlags) -> bool {
        let out = abi::OpenOut {
            fh: handle,
            open_flags: flags.bits(),
            backing_id: 0,
        };
        self.send(Ok(out.as_bytes()))
    }

    /// Answers which events an open file is ready for: those that the kernel assumes of every
    /// other file (include/linux/poll.h, DEFAULT_POLLMASK), with or without those of a read.
    pub(crate) fn polled(self, is_readable: bool) {
        let reads = PollFlags::IN | PollFlags::RDNORM;
        let mut ready = PollFlags::OUT | PollFlags::WRNORM;
        ready.set(reads, is_readable);
        let out = abi::PollOut {
            revents: ready.bits().into(),
            ..Default::default()
        };
        self.bytes(out.as_bytes());
    }

    /// Answers with the number of bytes written.
    pub(crate) fn written(self, size: u32) {
        let out = abi::WriteOut { size, padding: 0 };
        self.bytes(out.as_bytes());
    }

    /// Answers with an extended attribute, to a caller with room for `size` bytes of it. A size
    /// of 0 asks how much room it needs.
    pub(crate) fn extended_attribute(self, value: &[u8], size: u32) {
        match size {
            0 => {
                let out = abi::GetxattrOut {
                    size: value.len() as u32,
                    padding: 0,
                };
                self.bytes(out.as_bytes());
            }
            size if value.len() > size as usize => self.error(Errno::ERANGE),
            _ => self.bytes(value),
        }
    }

    /// Answers that there are no extended attributes, to a caller with room for `size`
    /// bytes of them. A size of 0 asks how much room they need.
    pub(crate) fn no_extended_attributes(self, size: u32) {
        match size {
            0 => self.bytes(abi::GetxattrOut::default().as_bytes()),
            _ => self.bytes(&[]),
        }
    }

    /// Answers with the filesystem's statistics: it stores nothing, and names may have 255
    /// bytes.
    pub(crate) fn filesystem(self, block: u32) {
        let out = abi::StatfsOut {
            bsize: block,
            namelen: 255,
            frsize: block,
            ..Default::default()
        };
        self.bytes(out.as_bytes());
    }

    /// Answers, unless the caller has given up. Returns whether the caller gets the reply.
    fn send(&mut self, answer: Result<&[u8], Errno>) -> bool {
        self.is_owed = false;
        if self.is_interruptible && !self.connection.interrupts.take(self.unique) {
            return false;
        }
        self.connection.device.answer(self.unique, answer)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.is_owed {
            self.send(Err(Errno::EIO));
        }
    }
}

/// The entries of a directory, as many as fit into a reply.
#[derive(Debug)]
pub(crate) struct Entries {
    bytes: Vec<u8>,
    room: usize,
}

impl Entries {
    /// No entries yet, for a reply of at most `room` bytes.
    pub(crate) fn new(room: usize) -> Entries {
        Entries {
            bytes: Vec::new(),
            room,
        }
    }

    /// Adds a name, with all its attributes if they are asked for. `next` is the offset at
    /// which a listing continues after it. Returns false if it does not fit.
    pub(crate) fn add(
        &mut self,
        name: &OsStr,
        node: Node,
        next: u64,
        found: Option<(&Attributes, Size)>,
    ) -> bool {
        let entry = found.map(|(found, size)| entry_out(found, size));
        let entry = entry.as_ref().map_or(&[][..], IntoBytes::as_bytes);
        let head = Dirent {
            ino: inode::shown(node),
            off: next,
            namelen: name.len() as u32,
            kind: file_type(node).as_raw_mode() >> 12,
        };
        let length = (size_of::<Dirent>() + name.len()).next_multiple_of(abi::DIRENT_ALIGNMENT);
        let end = self.bytes.len() + entry.len() + length;
        if end > self.room {
            return false;
        }
        self.bytes.extend_from_slice(entry);
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.resize(end, 0);
        true
    }

    /// The entries in the form that the kernel reads.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn entry_out(found: &Attributes, size: Size) -> EntryOut {
    let (valid, valid_nsec) = lifetime(found, size);
    EntryOut {
        nodeid: inode::number(found.node),
        // An inode number always stands for the same path and is never reused.
        generation: 0,
        entry_valid: valid,
        attr_valid: valid,
        entry_valid_nsec: valid_nsec,
        attr_valid_nsec: valid_nsec,
        attr: attr(found, size),
    }
}

/// How long the kernel may keep the attributes. It must not show [`Size::End`].
fn lifetime(found: &Attributes, size: Size) -> (u64, u32) {
    match size {
        Size::Zero | Size::Exactly(_) => seconds(found.lifetime),
        Size::End => (0, 0),
    }
}

fn attr(found: &Attributes, size: Size) -> Attr {
    let kind = file_type(found.node);
    let bytes = match size {
        Size::Zero => 0,
        Size::Exactly(bytes) => bytes,
        Size::End => END,
    };
    let since = found.time.duration_since(UNIX_EPOCH);
    let (time, nanoseconds) = seconds(since.unwrap_or_default());
    Attr {
        ino: inode::shown(found.node),
        size: bytes,
        // Only a file that was made whole has blocks: programs take one without for a hole.
        blocks: found.size.unwrap_or_default().div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        atimensec: nanoseconds,
        mtimensec: nanoseconds,
        ctimensec: nanoseconds,
        mode: kind.as_raw_mode() | u32::from(found.mode),
        nlink: if kind == FileType::Directory { 2 } else { 1 },
        uid: found.uid,
        gid: found.gid,
        blksize: 128 * 1024,
        ..Default::default()
    }
}

fn file_type(node: Node) -> FileType {
    match node {
        Node::Directory(_) => FileType::Directory,
        Node::NetNamespaceName(_) => FileType::Symlink,
        Node::File(_) | Node::User(_) | Node::Asking(_) | Node::Control(_) => FileType::RegularFile,
    }
}

fn seconds(duration: Duration) -> (u64, u32) {
    (duration.as_secs(), duration.subsec_nanos())
}
