//! The FUSE adapter: takes requests apart, calls [`Operations`], replies. It holds no
//! logic.

pub(crate) mod size;

use crate::access::requester::Requester;
use crate::answer::Answer;
use crate::error::{Failure, Result};
use crate::mount::Mountpoint;
use crate::operations::{Attributes, LookupAnswer, Operations, Wanted, is_stable};
use crate::session::{
    self, Entries, Forgotten, Handler, Operation, Read, Reply, Request, Session, SessionError, Slow,
};
use crate::stream::Wake;
use crate::tree::inode;
use fuser::{Errno, FopenFlags, INodeNo, Notifier, OpenAccMode, OpenFlags, PollHandle};
use iterfs_mapping::Node;
use size::{END, Size, Sizes};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

/// A negative offset makes the kernel drop all that it knows of an inode except its data
/// (fs/fuse/inode.c, fuse_reverse_inval_inode()).
const ATTRIBUTES_ALONE: i64 = -1;

/// The longest value of an extended attribute (include/uapi/linux/limits.h, XATTR_SIZE_MAX).
const LONGEST_ATTRIBUTE: usize = 64 * 1024;

/// The block size that statfs(2) reports, in bytes.
const BLOCK: u32 = 4096;

/// A mounted filesystem.
pub struct Adapter {
    operations: Arc<Operations>,
    sizes: Sizes,
    /// Unset until the kernel may be notified. Until then, nobody can wait in poll(2).
    notifier: OnceLock<Notifier>,
}

impl Adapter {
    /// An adapter that serves these operations.
    pub fn new(operations: Arc<Operations>) -> Arc<Adapter> {
        Arc::new(Adapter {
            operations,
            sizes: Sizes::default(),
            notifier: OnceLock::new(),
        })
    }

    /// Begins to serve the mount of this device.
    ///
    /// # Errors
    /// The first exchange with the kernel fails, or a thread cannot be started. Nothing
    /// stays mounted then.
    pub fn serve(
        self: &Arc<Self>,
        device: OwnedFd,
        mountpoint: &Mountpoint,
    ) -> std::result::Result<Session, SessionError> {
        session::begin(device, self, mountpoint)
    }

    /// Begins to notify the kernel, unasked, that attributes have changed and that tables
    /// have bytes. `minor` is the version of the protocol that the kernel speaks.
    pub fn notify(&self, notifier: &Notifier, minor: u32) {
        if minor >= size::FIRST_MINOR {
            self.sizes.begin(notifier.clone());
        }
        let names = notifier.clone();
        self.operations.on_idle(move |directory, name| {
            // If the kernel has dropped the name itself, there is nothing to do.
            let directory = INodeNo(inode::number(Node::Directory(directory)));
            let _ = names.inval_entry(directory, name);
        });
        // A second call would pass the same one.
        let _ = self.notifier.set(notifier.clone());
        let notifier = notifier.clone();
        self.operations.on_change(move |node| {
            // If the kernel does not know the node, there is nothing to forget.
            let inode = INodeNo(inode::number(node));
            let _ = notifier.inval_inode(inode, ATTRIBUTES_ALONE, 0);
            // While a table is open, the kernel takes up new attributes only from a lookup
            // of its name.
            if let Node::File(file) = node {
                let directory = INodeNo(inode::number(Node::Directory(file.directory)));
                let _ = notifier.inval_entry(directory, file.name().as_ref());
            }
        });
    }
}

impl Handler for Adapter {
    fn handle(self: Arc<Self>, request: Request, reply: Reply) {
        let Request {
            inode,
            sender,
            operation,
            ..
        } = request;
        match operation {
            Operation::Slow(slow) => {
                let requester = self.operations.identify(sender);
                let operations = Arc::clone(&self.operations);
                operations.run(&requester.clone(), move || {
                    // The caller may have given up before this request got its turn.
                    if !reply.is_abandoned() {
                        self.handle_slow(&requester, inode, slow, reply);
                    }
                });
            }
            Operation::Read(read)
                if size::is_for_page_cache(read.flags)
                    && !self.operations.is_whole(read.handle) =>
            {
                reply.error(Errno::EINVAL);
            }
            Operation::Read(read) => {
                let answer = Box::new(ReadAnswer(reply));
                self.operations
                    .read(sender, read.handle, read.offset, read.size, answer);
            }
            Operation::Write {
                handle,
                offset,
                bytes,
            } => {
                let size = bytes.len() as u32;
                let answer = Box::new(WriteAnswer { reply, size });
                // Identify the writer now, while it waits and cannot exit.
                let requester = self.operations.identify(sender);
                // An append goes to the end that the kernel believes in, which is not a
                // real position.
                let offset = if offset < END { offset } else { 0 };
                self.operations
                    .write(&requester, handle, offset, &bytes, answer);
            }
            Operation::Poll { handle, wake } => {
                let wake = wake.zip(self.notifier.get()).map(|(number, notifier)| {
                    let notifier = notifier.clone();
                    Box::new(move || {
                        // If the kernel does not know the number, the file has been closed.
                        let _ = notifier.poll(PollHandle(number));
                    }) as Wake
                });
                reply.polled(self.operations.poll(handle, wake));
            }
            Operation::Release { handle } => {
                self.operations.release(handle);
                self.closed(inode);
                reply.done();
            }
            // As in /proc. ENOSYS would keep the kernel from asking for any attribute again.
            Operation::GetUnknownAttribute => reply.error(Errno::EOPNOTSUPP),
            Operation::ListExtendedAttributes { size } => reply.no_extended_attributes(size),
            // As in /proc: names cannot be created or removed.
            Operation::ChangeAccess | Operation::Remove => {
                reply.failed(&Failure::Unchangeable);
            }
            Operation::Create => reply.failed(&Failure::NotFound),
            // Tables have no holes to report.
            Operation::Sync | Operation::Seek => reply.error(Errno::EINVAL),
            // isatty(3), which many programs call for each file, is an ioctl.
            Operation::Ioctl => reply.error(Errno::ENOTTY),
            Operation::Destroy => reply.done(),
            // ENOSYS: the kernel then gives its own answer, mostly without asking again.
            // FLUSH is one of these, since there is nothing to flush.
            Operation::Other | Operation::Forget { .. } | Operation::Interrupt { .. } => {
                reply.error(Errno::ENOSYS);
            }
        }
    }

    fn forgotten(&self, Forgotten { inode, lookups }: Forgotten) {
        self.sizes.forgotten(inode);
        self.operations.forget(inode, lookups);
    }

    fn abandoned(&self, handle: u64) {
        self.operations.abandoned(handle);
    }
}

impl Adapter {
    fn handle_slow(self: &Arc<Self>, requester: &Requester, inode: u64, slow: Slow, reply: Reply) {
        match slow {
            Slow::Lookup { name } => match self.node(inode) {
                Ok(directory) => {
                    let answer = Box::new(FoundAnswer {
                        adapter: Arc::clone(self),
                        reply,
                    });
                    self.operations.find(requester, directory, &name, answer);
                }
                Err(failure) => reply.failed(&failure),
            },
            Slow::GetAttributes { by_handle } => match self.attributes(requester, inode) {
                Ok(found) if let Some(size) = found.size => {
                    reply.attributes(&found, Size::Exactly(size));
                }
                // The kernel would seek to the end that it believes in.
                Ok(found) if by_handle && can_seek(found.node) && self.sizes.are_raised() => {
                    reply.error(Errno::ESPIPE);
                }
                Ok(found) => {
                    if has_bytes(found.node) {
                        self.sizes.before_attributes(inode, is_stable(found.node));
                    }
                    reply.attributes(&found, Size::Zero);
                }
                Err(failure) => reply.failed(&failure),
            },
            // Truncating is allowed and does nothing, as in /proc: `> file` opens with
            // O_TRUNC.
            Slow::Truncate => match self.attributes(requester, inode) {
                Ok(found) if let Some(size) = found.size => {
                    reply.attributes(&found, Size::Exactly(size));
                }
                Ok(found) => {
                    let size = match has_bytes(found.node) {
                        true => self.sizes.after_change(inode, is_stable(found.node)),
                        false => Size::Zero,
                    };
                    reply.attributes(&found, size);
                }
                Err(failure) => reply.failed(&failure),
            },
            Slow::ReadLink => {
                match self
                    .node(inode)
                    .and_then(|node| self.operations.link_target(requester, node))
                {
                    Ok(target) => reply.bytes(target.as_bytes()),
                    Err(failure) => reply.failed(&failure),
                }
            }
            Slow::StatFilesystem => {
                match self
                    .node(inode)
                    .and_then(|node| self.operations.statistics(requester, node))
                {
                    Ok(()) => reply.filesystem(BLOCK),
                    Err(failure) => reply.failed(&failure),
                }
            }
            Slow::Open { flags } => {
                let wanted = match OpenFlags(flags as i32).acc_mode() {
                    OpenAccMode::O_RDONLY | OpenAccMode::O_RDWR => Wanted::Read,
                    OpenAccMode::O_WRONLY => Wanted::Write,
                };
                let opened = self
                    .node(inode)
                    .and_then(|node| self.operations.open(requester, node, wanted));
                self.opened(inode, opened, open_flags(inode), reply);
            }
            Slow::OpenDirectory => {
                let opened = self
                    .node(inode)
                    .and_then(|node| self.operations.open_directory(requester, node));
                self.opened(inode, opened, FopenFlags::empty(), reply);
            }
            Slow::ReadDirectory {
                read,
                with_attributes,
            } => match self.list(requester, inode, read, with_attributes) {
                Ok(entries) => reply.bytes(entries.as_bytes()),
                Err(failure) => reply.failed(&failure),
            },
            Slow::Explain { name, size } => match self.explain(requester, inode, &name) {
                Ok(text) => reply.extended_attribute(text.as_bytes(), size),
                Err(failure) => reply.failed(&failure),
            },
            Slow::Rename { directory, name } => match self.find(requester, directory, &name) {
                Ok(found) => {
                    self.operations.forget(inode::number(found.node), 1);
                    reply.failed(&Failure::Unchangeable);
                }
                Err(failure) => reply.failed(&failure),
            },
        }
    }

    fn node(&self, inode: u64) -> Result<Node> {
        self.operations.node(inode)
    }

    fn closed(&self, inode: u64) {
        if is_kept_table(inode) {
            self.sizes.closed(inode);
        }
        self.operations.closed(inode);
    }

    fn attributes(&self, requester: &Requester, inode: u64) -> Result<Attributes> {
        self.operations.attributes(requester, self.node(inode)?)
    }

    fn size_at_name(&self, found: &Attributes) -> Size {
        if let Some(size) = found.size {
            return Size::Exactly(size);
        }
        match has_bytes(found.node) {
            true => (self.sizes).at_name(inode::number(found.node), is_stable(found.node)),
            false => Size::Zero,
        }
    }

    /// The explanation of a name, as much of it as an attribute can hold.
    fn explain(&self, requester: &Requester, directory: u64, name: &OsStr) -> Result<String> {
        let directory = self.node(directory)?;
        let mut text = self.operations.explain(requester, directory, name)?;
        text.truncate(text.floor_char_boundary(LONGEST_ATTRIBUTE));
        Ok(text)
    }

    fn find(&self, requester: &Requester, directory: u64, name: &OsStr) -> Result<Attributes> {
        self.operations
            .lookup(requester, self.node(directory)?, name)
    }

    /// Hands an open handle to its caller. If the caller has given up waiting, it never
    /// closes the handle, so close it here.
    fn opened(&self, inode: u64, opened: Result<u64>, flags: FopenFlags, reply: Reply) {
        match opened {
            Ok(handle) => {
                if is_kept_table(inode) {
                    self.sizes.before_opened(inode);
                }
                self.operations.opened(inode);
                // The pages of a file that was made whole belong to one lookup.
                let flags = match self.operations.is_whole(handle) {
                    true => FopenFlags::FOPEN_KEEP_CACHE,
                    false => flags,
                };
                if !reply.opened(handle, flags) {
                    self.operations.release(handle);
                    self.closed(inode);
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
        let listed =
            (self.operations).list(requester, read.handle, self.node(inode)?, read.offset)?;
        let mut entries = Entries::new(read.size);
        for (index, entry) in listed.iter().enumerate().skip(read.offset as usize) {
            let found = with_attributes.then(|| {
                let found = self.operations.entry_attributes(entry);
                (found, self.size_at_name(&found))
            });
            let found = found.as_ref().map(|(found, size)| (found, *size));
            let next = index as u64 + 1;
            if !entries.add(&entry.name, entry.node, next, found) {
                break;
            }
        }
        Ok(entries)
    }
}

/// Answers a lookup.
struct FoundAnswer {
    adapter: Arc<Adapter>,
    reply: Reply,
}

impl LookupAnswer for FoundAnswer {
    fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    fn found(self: Box<Self>, found: Result<Attributes>) {
        let FoundAnswer { adapter, reply } = *self;
        match found {
            Ok(found) => {
                if !reply.entry(&found, adapter.size_at_name(&found)) {
                    adapter.operations.forget(inode::number(found.node), 1);
                }
            }
            Err(failure) => reply.failed(&failure),
        }
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

/// Answers a write, which is complete or fails.
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

/// Whether a node is a file, whose number of bytes is unknown.
fn has_bytes(node: Node) -> bool {
    can_seek(node) || matches!(node, Node::Control(_))
}

/// Whether a node is a table, which unlike the control file can seek.
fn can_seek(node: Node) -> bool {
    matches!(node, Node::File(_) | Node::User(_) | Node::Asking(_))
}

/// Whether an inode is a table whose attributes the kernel may keep.
fn is_kept_table(inode: u64) -> bool {
    inode::node(inode).is_some_and(|node| has_bytes(node) && is_stable(node))
}

/// Nothing is cached. The control file has no positions: each write is a command, and each
/// read returns the bytes that were not read yet.
fn open_flags(inode: u64) -> FopenFlags {
    match inode::node(inode) {
        Some(Node::Control(_)) => FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_STREAM,
        _ => FopenFlags::FOPEN_DIRECT_IO,
    }
}
