//! The kernel's requests, each parsed once.

use super::abi::{self, InHeader, opcode};
use crate::access::requester::Sender;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use zerocopy::FromBytes;

/// The beginning of the name of an extended attribute that explains a name. It is an attribute
/// of the directory, because a name that is wrong leads to no file.
const EXPLAIN: &[u8] = b"user.iterfs.explain.";

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    /// The number by which the request is answered and interrupted.
    pub(super) unique: u64,
    /// The inode that the request is about.
    pub(crate) inode: u64,
    /// The caller.
    pub(crate) sender: Sender,
    /// The operation.
    pub(crate) operation: Operation,
}

/// The operation that a request asks for.
#[derive(Debug)]
pub(crate) enum Operation {
    /// An operation that may take a while.
    Slow(Slow),
    /// The kernel takes back lookups of inodes. It expects no reply.
    Forget { inodes: Box<[Forgotten]> },
    /// Change a mode or an owner.
    ChangeAccess,
    /// Read an open file.
    Read(Read),
    /// Write to an open file.
    Write {
        handle: u64,
        offset: u64,
        bytes: Box<[u8]>,
    },
    /// Ask whether an open file can be read. If `wake` is set, the caller wants to be woken by
    /// this number once it can.
    Poll { handle: u64, wake: Option<u64> },
    /// Close a file or a directory.
    Release { handle: u64 },
    /// Get an extended attribute that no file has.
    GetUnknownAttribute,
    /// List extended attributes in at most `size` bytes; 0 asks how many they need.
    ListExtendedAttributes { size: u32 },
    /// The caller of a request got a signal.
    Interrupt { unique: u64 },
    /// Create a file, directory, device, symbolic link or hard link.
    Create,
    /// Remove a name.
    Remove,
    /// Write out cached data.
    Sync,
    /// Look for data or a hole.
    Seek,
    /// An ioctl(2).
    Ioctl,
    /// The mount is being taken down.
    Destroy,
    /// An operation that iterfs leaves to the kernel.
    Other,
}

/// An operation that may look at processes, load programs and start passes.
#[derive(Debug)]
pub(crate) enum Slow {
    /// Find a name in this directory.
    Lookup { name: Box<OsStr> },
    /// Get attributes.
    GetAttributes {
        /// Whether the request names an open handle, as a seek to the end does.
        by_handle: bool,
    },
    /// Change the size or times, and get attributes.
    Truncate,
    /// Read a symbolic link.
    ReadLink,
    /// Get the filesystem's statistics.
    StatFilesystem,
    /// Open a file, with the flags of open(2).
    Open { flags: u32 },
    /// Open a directory.
    OpenDirectory,
    /// List an open directory.
    ReadDirectory {
        read: Read,
        /// Whether the attributes of each name are also asked for (READDIRPLUS).
        with_attributes: bool,
    },
    /// Explain a name in this directory, in at most `size` bytes; 0 asks how many there are.
    Explain { name: Box<OsStr>, size: u32 },
    /// Rename something to a name in another directory.
    Rename { directory: u64, name: Box<OsStr> },
}

/// An inode of which the kernel takes lookups back. When it has taken back all of them, it
/// holds the inode no longer, but it may look it up again at any time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Forgotten {
    pub(crate) inode: u64,
    /// The number of lookups.
    pub(crate) lookups: u64,
}

/// A read of an open file or directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) handle: u64,
    pub(crate) offset: u64,
    /// Maximum number of bytes.
    pub(crate) size: usize,
    /// Flags of the read (FUSE_READ_*).
    pub(crate) flags: u32,
}

impl Request {
    /// Parses a message from the device.
    ///
    /// Returns `None` if the message is not a request: the kernel then speaks another
    /// protocol.
    pub(super) fn parse(message: &[u8]) -> Option<Request> {
        let (header, body) = InHeader::read_from_prefix(message).ok()?;
        if header.len as usize != message.len() {
            return None;
        }
        let body = body
            .len()
            .checked_sub(usize::from(header.total_extlen) * 8)
            .and_then(|length| body.get(..length))?;
        Some(Request {
            unique: header.unique,
            inode: header.nodeid,
            sender: Sender {
                thread: header.pid,
                uid: header.uid,
                gid: header.gid,
            },
            operation: Operation::parse(header.opcode, header.nodeid, body)?,
        })
    }

    /// Whether the request may take so long that its caller must be able to give up.
    pub(super) fn is_interruptible(&self) -> bool {
        match self.operation {
            Operation::Slow(_) | Operation::Read(_) | Operation::Write { .. } => true,
            Operation::Forget { .. }
            | Operation::ChangeAccess
            | Operation::Poll { .. }
            | Operation::Release { .. }
            | Operation::GetUnknownAttribute
            | Operation::ListExtendedAttributes { .. }
            | Operation::Interrupt { .. }
            | Operation::Create
            | Operation::Remove
            | Operation::Sync
            | Operation::Seek
            | Operation::Ioctl
            | Operation::Destroy
            | Operation::Other => false,
        }
    }
}

impl Request {
    /// The handle of the open file that the request reads, if it reads one.
    pub(super) fn handle_being_read(&self) -> Option<u64> {
        match self.operation {
            Operation::Read(read) => Some(read.handle),
            _ => None,
        }
    }
}

impl Operation {
    fn parse(opcode: u32, inode: u64, body: &[u8]) -> Option<Operation> {
        Some(match opcode {
            opcode::LOOKUP => Operation::Slow(Slow::Lookup {
                name: names(body).next()?.into(),
            }),
            opcode::FORGET => {
                let (forget, _) = abi::ForgetIn::read_from_prefix(body).ok()?;
                let lookups = forget.nlookup;
                Operation::Forget {
                    inodes: [Forgotten { inode, lookups }].into(),
                }
            }
            opcode::BATCH_FORGET => {
                let (batch, _) = abi::BatchForgetIn::ref_from_prefix(body).ok()?;
                let forgotten = batch.inodes.iter().map(|one| Forgotten {
                    inode: one.nodeid,
                    lookups: one.nlookup,
                });
                Operation::Forget {
                    inodes: forgotten.collect(),
                }
            }
            opcode::GETATTR => {
                let (get, _) = abi::GetattrIn::read_from_prefix(body).ok()?;
                Operation::Slow(Slow::GetAttributes {
                    by_handle: get.getattr_flags & abi::GETATTR_FH != 0,
                })
            }
            opcode::SETATTR => {
                let (set, _) = abi::SetattrIn::read_from_prefix(body).ok()?;
                match set.valid & (abi::FATTR_MODE | abi::FATTR_UID | abi::FATTR_GID) {
                    0 => Operation::Slow(Slow::Truncate),
                    _ => Operation::ChangeAccess,
                }
            }
            opcode::READLINK => Operation::Slow(Slow::ReadLink),
            opcode::OPEN => {
                let (open, _) = abi::OpenIn::read_from_prefix(body).ok()?;
                Operation::Slow(Slow::Open { flags: open.flags })
            }
            opcode::READ => Operation::Read(Read::parse(body)?),
            opcode::WRITE => {
                let (write, bytes) = abi::WriteIn::read_from_prefix(body).ok()?;
                Operation::Write {
                    handle: write.fh,
                    offset: write.offset,
                    bytes: bytes.get(..write.size as usize)?.into(),
                }
            }
            opcode::POLL => {
                let (poll, _) = abi::PollIn::read_from_prefix(body).ok()?;
                let wakes = poll.flags & abi::POLL_SCHEDULE_NOTIFY != 0;
                Operation::Poll {
                    handle: poll.fh,
                    wake: wakes.then_some(poll.kh),
                }
            }
            opcode::RELEASE | opcode::RELEASEDIR => {
                let (release, _) = abi::ReleaseIn::read_from_prefix(body).ok()?;
                Operation::Release { handle: release.fh }
            }
            opcode::OPENDIR => Operation::Slow(Slow::OpenDirectory),
            opcode::READDIR | opcode::READDIRPLUS => Operation::Slow(Slow::ReadDirectory {
                read: Read::parse(body)?,
                with_attributes: opcode == opcode::READDIRPLUS,
            }),
            opcode::STATFS => Operation::Slow(Slow::StatFilesystem),
            opcode::GETXATTR => {
                let (get, rest) = abi::GetxattrIn::read_from_prefix(body).ok()?;
                let attribute = names(rest).next()?.as_bytes();
                match attribute.strip_prefix(EXPLAIN) {
                    Some(name) => Operation::Slow(Slow::Explain {
                        name: OsStr::from_bytes(name).into(),
                        size: get.size,
                    }),
                    None => Operation::GetUnknownAttribute,
                }
            }
            opcode::LISTXATTR => {
                let (list, _) = abi::GetxattrIn::read_from_prefix(body).ok()?;
                Operation::ListExtendedAttributes { size: list.size }
            }
            opcode::INTERRUPT => {
                let (interrupt, _) = abi::InterruptIn::read_from_prefix(body).ok()?;
                Operation::Interrupt {
                    unique: interrupt.unique,
                }
            }
            opcode::RENAME => {
                let (rename, rest) = abi::RenameIn::read_from_prefix(body).ok()?;
                Operation::rename(rename.newdir, rest)?
            }
            opcode::RENAME2 => {
                let (rename, rest) = abi::Rename2In::read_from_prefix(body).ok()?;
                Operation::rename(rename.newdir, rest)?
            }
            opcode::CREATE | opcode::MKNOD | opcode::MKDIR | opcode::SYMLINK | opcode::LINK => {
                Operation::Create
            }
            opcode::UNLINK | opcode::RMDIR => Operation::Remove,
            opcode::FSYNC | opcode::FSYNCDIR => Operation::Sync,
            opcode::LSEEK => Operation::Seek,
            opcode::IOCTL => Operation::Ioctl,
            opcode::DESTROY => Operation::Destroy,
            _ => Operation::Other,
        })
    }

    fn rename(directory: u64, from_and_to: &[u8]) -> Option<Operation> {
        Some(Operation::Slow(Slow::Rename {
            directory,
            name: names(from_and_to).nth(1)?.into(),
        }))
    }
}

impl Read {
    fn parse(body: &[u8]) -> Option<Read> {
        let (read, _) = abi::ReadIn::read_from_prefix(body).ok()?;
        Some(Read {
            handle: read.fh,
            offset: read.offset,
            size: read.size as usize,
            flags: read.read_flags,
        })
    }
}

/// The names in a message, each terminated by a NUL.
fn names(bytes: &[u8]) -> impl Iterator<Item = &OsStr> {
    bytes
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|name| name.strip_suffix(&[0]))
        .map(OsStr::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    fn message(opcode: u32, body: &[u8]) -> Vec<u8> {
        let header = InHeader {
            len: (size_of::<InHeader>() + body.len()) as u32,
            opcode,
            unique: 42,
            nodeid: 7,
            uid: 1000,
            gid: 100,
            pid: 321,
            total_extlen: 0,
            padding: 0,
        };
        [header.as_bytes(), body].concat()
    }

    #[test]
    fn a_lookup_has_its_name_and_its_sender() {
        let request = Request::parse(&message(opcode::LOOKUP, b"tasks\0")).unwrap();
        assert_eq!((request.unique, request.inode), (42, 7));
        assert_eq!(request.sender.thread, 321);
        assert_eq!((request.sender.uid, request.sender.gid), (1000, 100));
        assert!(request.is_interruptible());
        match request.operation {
            Operation::Slow(Slow::Lookup { name }) => assert_eq!(&*name, "tasks"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn forgotten_lookups_are_counted() {
        let forgotten = |opcode, body: &[u64]| {
            let request = Request::parse(&message(opcode, body.as_bytes())).unwrap();
            match request.operation {
                Operation::Forget { inodes } => inodes
                    .iter()
                    .map(|one| (one.inode, one.lookups))
                    .collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(forgotten(opcode::FORGET, &[3]), [(7, 3)]);
        let batch = [2, 8, 1, 9, 5];
        assert_eq!(forgotten(opcode::BATCH_FORGET, &batch), [(8, 1), (9, 5)]);
    }

    #[test]
    fn only_explanations_are_attributes() {
        let operation = |attribute: &[u8]| {
            let body = [64_u32.as_bytes(), &[0; 4], attribute, b"\0"].concat();
            let request = Request::parse(&message(opcode::GETXATTR, &body)).unwrap();
            request.operation
        };
        match operation(b"user.iterfs.explain.tasks@pid=1") {
            Operation::Slow(Slow::Explain { name, size }) => {
                assert_eq!((&*name, size), (OsStr::new("tasks@pid=1"), 64));
            }
            other => panic!("{other:?}"),
        }
        for attribute in ["security.capability", "user.iterfs.explain"] {
            let other = operation(attribute.as_bytes());
            assert!(matches!(other, Operation::GetUnknownAttribute), "{other:?}");
        }
    }

    #[test]
    fn a_rename_is_about_the_second_name() {
        let body = [9_u64.as_bytes(), &[0; 8], b"from\0to\0"].concat();
        let request = Request::parse(&message(opcode::RENAME2, &body)).unwrap();
        match request.operation {
            Operation::Slow(Slow::Rename { directory, name }) => {
                assert_eq!((directory, &*name), (9, OsStr::new("to")));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_extension_after_the_body_is_not_part_of_it() {
        let mut extended = message(opcode::WRITE, &[0; 48]);
        extended[36] = 1;
        let request = Request::parse(&extended).unwrap();
        assert!(matches!(request.operation, Operation::Write { bytes, .. } if bytes.is_empty()));
    }

    #[test]
    fn a_truncated_message_is_refused() {
        let whole = message(opcode::READ, &[0; 40]);
        for length in 0..whole.len() {
            assert!(Request::parse(&whole[..length]).is_none(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(opcode: u32, known in 0..60_u32, body: Vec<u8>, any: Vec<u8>) {
            let _ = Request::parse(&message(opcode, &body));
            let _ = Request::parse(&message(known, &body));
            let _ = Request::parse(&any);
        }
    }
}
