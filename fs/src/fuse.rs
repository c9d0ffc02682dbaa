//! The FUSE side: takes requests apart, calls [`Operations`], replies. No logic.

use crate::answer::Answer;
use crate::error::{Failure, Result};
use crate::inode;
use crate::operations::{Attributes, Operations, Wanted};
use crate::policy::Requester;
use crate::session::{Entries, Handler, Operation, Read, Reply, Request, Slow};
use fuser::{Errno, FopenFlags, INodeNo, Notifier, OpenAccMode, OpenFlags};
use iterfs_mapping::Node;
use std::ffi::OsStr;
use std::sync::Arc;

/// An offset below 0 has the kernel drop what it knows of an inode but its data
/// (fs/fuse/inode.c, fuse_reverse_inval_inode()).
const ATTRIBUTES_ALONE: i64 = -1;

/// Bytes of a block, as statfs(2) tells it.
const BLOCK: u32 = 4096;

/// A mounted filesystem.
pub struct Adapter(Arc<Operations>);

impl Adapter {
    /// Serves these operations.
    pub fn new(operations: Arc<Operations>) -> Arc<Adapter> {
        Arc::new(Adapter(operations))
    }

    /// Has the kernel forget attributes when a reload has changed them.
    pub fn forget_on_change(&self, notifier: Notifier) {
        self.0.on_change(move |node| {
            // Of a node that the kernel does not know there is nothing to forget.
            let _ = notifier.inval_inode(INodeNo(inode::number(node)), ATTRIBUTES_ALONE, 0);
        });
    }
}

impl Handler for Adapter {
    fn handle(self: Arc<Self>, request: Request, reply: Reply) {
        let Request {
            inode,
            requester,
            operation,
            ..
        } = request;
        match operation {
            Operation::Slow(slow) => {
                let operations = Arc::clone(&self.0);
                operations.run(&requester.clone(), move || {
                    // Its turn may have come after its caller gave up.
                    if !reply.is_abandoned() {
                        self.handle_slow(&requester, inode, slow, reply);
                    }
                });
            }
            Operation::Read(read) => {
                let answer = Box::new(ReadAnswer(reply));
                self.0.read(read.handle, read.offset, read.size, answer);
            }
            Operation::Write {
                handle,
                offset,
                bytes,
            } => {
                let size = bytes.len() as u32;
                let answer = Box::new(WriteAnswer { reply, size });
                self.0.write(&requester, handle, offset, &bytes, answer);
            }
            Operation::Release { handle } => {
                self.0.release(handle);
                reply.done();
            }
            Operation::ListExtendedAttributes { size } => reply.no_extended_attributes(size),
            // The answers are those of /proc: no name can be made, and none can go.
            Operation::ChangeAccess | Operation::Remove => {
                reply.failed(&Failure::Unchangeable);
            }
            Operation::Create => reply.failed(&Failure::NotFound),
            // A table has no holes to tell of.
            Operation::Sync | Operation::Seek => reply.error(Errno::EINVAL),
            // isatty(3), which many a program asks of each file, is an ioctl.
            Operation::Ioctl => reply.error(Errno::ENOTTY),
            Operation::Destroy => reply.done(),
            // The kernel then gives its own answer, mostly without asking again. FLUSH is
            // one of these: there is nothing to flush.
            Operation::Other | Operation::Forget | Operation::Interrupt { .. } => {
                reply.error(Errno::ENOSYS);
            }
        }
    }

    fn abandoned(&self, handle: u64) {
        self.0.abandoned(handle);
    }
}

impl Adapter {
    fn handle_slow(&self, requester: &Requester, inode: u64, slow: Slow, reply: Reply) {
        match slow {
            Slow::Lookup { name } => match self.find(requester, inode, &name) {
                Ok(found) => reply.entry(&found),
                Err(failure) => reply.failed(&failure),
            },
            // Truncating is allowed and does nothing, as in /proc: `> file` opens so.
            Slow::GetAttributes => {
                match node(inode).and_then(|node| self.0.attributes(requester, node)) {
                    Ok(found) => reply.attributes(&found),
                    Err(failure) => reply.failed(&failure),
                }
            }
            Slow::ReadLink => {
                match node(inode).and_then(|node| self.0.link_target(requester, node)) {
                    Ok(target) => reply.bytes(target.as_bytes()),
                    Err(failure) => reply.failed(&failure),
                }
            }
            Slow::StatFilesystem => {
                match node(inode).and_then(|node| self.0.statistics(requester, node)) {
                    Ok(()) => reply.filesystem(BLOCK),
                    Err(failure) => reply.failed(&failure),
                }
            }
            Slow::Open { flags } => {
                let wanted = match OpenFlags(flags as i32).acc_mode() {
                    OpenAccMode::O_RDONLY | OpenAccMode::O_RDWR => Wanted::Read,
                    OpenAccMode::O_WRONLY => Wanted::Write,
                };
                let opened = node(inode).and_then(|node| self.0.open(requester, node, wanted));
                self.opened(opened, open_flags(inode), reply);
            }
            Slow::OpenDirectory => {
                let opened = node(inode).and_then(|node| self.0.open_directory(requester, node));
                self.opened(opened, FopenFlags::empty(), reply);
            }
            Slow::ReadDirectory {
                read,
                with_attributes,
            } => match self.list(requester, inode, read, with_attributes) {
                Ok(entries) => reply.bytes(entries.as_bytes()),
                Err(failure) => reply.failed(&failure),
            },
            Slow::Rename { directory, name } => match self.find(requester, directory, &name) {
                Ok(_) => reply.failed(&Failure::Unchangeable),
                Err(failure) => reply.failed(&failure),
            },
        }
    }

    fn find(&self, requester: &Requester, directory: u64, name: &OsStr) -> Result<Attributes> {
        self.0.lookup(requester, node(directory)?, name)
    }

    /// Hands an open handle to its caller, or closes it: a caller that gave up waiting
    /// never will.
    fn opened(&self, opened: Result<u64>, flags: FopenFlags, reply: Reply) {
        match opened {
            Ok(handle) => {
                if !reply.opened(handle, flags) {
                    self.0.release(handle);
                }
            }
            Err(failure) => reply.failed(&failure),
        }
    }

    fn list(
        &self,
        requester: &Requester,
        inode: u64,
        read: Read,
        with_attributes: bool,
    ) -> Result<Entries> {
        let listed = (self.0).list(requester, read.handle, node(inode)?, read.offset)?;
        let mut entries = Entries::new(read.size);
        for (index, entry) in listed.iter().enumerate().skip(read.offset as usize) {
            let found = with_attributes.then(|| self.0.entry_attributes(entry));
            let next = index as u64 + 1;
            if !entries.add(&entry.name, entry.node, next, found.as_ref()) {
                break;
            }
        }
        Ok(entries)
    }
}

/// Answers a read.
struct ReadAnswer(Reply);

impl Answer for ReadAnswer {
    fn is_abandoned(&self) -> bool {
        self.0.is_abandoned()
    }

    fn commit(&self) -> bool {
        self.0.commit()
    }

    fn send(self: Box<Self>, outcome: Result<&[u8]>) {
        match outcome {
            Ok(bytes) => self.0.bytes(bytes),
            Err(failure) => self.0.failed(&failure),
        }
    }
}

/// Answers a write, of which all is written or nothing.
struct WriteAnswer {
    reply: Reply,
    size: u32,
}

impl Answer for WriteAnswer {
    fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    fn commit(&self) -> bool {
        self.reply.commit()
    }

    fn send(self: Box<Self>, outcome: Result<&[u8]>) {
        match outcome {
            Ok(_) => self.reply.written(self.size),
            Err(failure) => self.reply.failed(&failure),
        }
    }
}

fn node(inode: u64) -> Result<Node> {
    inode::node(inode).ok_or(Failure::NotFound)
}

/// Nothing is cached. The control file has no positions: what is written is a
/// command, what is read is what was not read yet.
fn open_flags(inode: u64) -> FopenFlags {
    match node(inode) {
        Ok(Node::Control(_)) => FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_STREAM,
        _ => FopenFlags::FOPEN_DIRECT_IO,
    }
}
