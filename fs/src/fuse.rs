//! The FUSE side: takes requests apart, calls [`Operations`], replies. No logic.

use crate::error::Failure;
use crate::inode;
use crate::operations::{Attributes, Operations, Wanted};
use crate::policy::Requester;
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags, PollEvents,
    PollFlags, PollNotifier, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use iterfs_mapping::Node;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// The largest read or write the kernel may send as one request, in bytes.
const MAX_REQUEST: u32 = 1024 * 1024;

/// A mounted filesystem.
pub struct Adapter(pub Arc<Operations>);

/// Inodes are never used again for something else: each stands for one path.
const GENERATION: Generation = Generation(0);

impl Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // The size of reads follows that of writes.
        let _ = config.set_max_write(MAX_REQUEST);
        // Looking a process up costs a pass, so `ls pid` asks for names alone
        // and `ls -l pid` for both at once.
        let _ = config
            .add_capabilities(InitFlags::FUSE_DO_READDIRPLUS | InitFlags::FUSE_READDIRPLUS_AUTO);
        let _ = config.add_capabilities(InitFlags::FUSE_PARALLEL_DIROPS);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(request, parent, name) {
            Ok(found) => reply.entry(&found.lifetime, &file_attr(&found), GENERATION),
            Err(failure) => reply.error(failure.errno()),
        }
    }

    fn getattr(&self, request: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.reply_attributes(request, inode, reply);
    }

    fn setattr(
        &self,
        request: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        _size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        // Truncating is allowed and does nothing, as in /proc: `> file` opens so.
        match (mode, uid, gid) {
            (None, None, None) => self.reply_attributes(request, inode, reply),
            _ => reply.error(Failure::Unchangeable.errno()),
        }
    }

    fn readlink(&self, request: &Request, inode: INodeNo, reply: ReplyData) {
        match node(inode).and_then(|node| self.0.link_target(&requester(request), node)) {
            Ok(target) => reply.data(target.as_bytes()),
            Err(failure) => reply.error(failure.errno()),
        }
    }

    fn open(&self, request: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let wanted = match flags.acc_mode() {
            OpenAccMode::O_RDONLY | OpenAccMode::O_RDWR => Wanted::Read,
            OpenAccMode::O_WRONLY => Wanted::Write,
        };
        let opened = node(inode).and_then(|node| self.0.open(&requester(request), node, wanted));
        match opened {
            Ok(handle) => reply.opened(FileHandle(handle), open_flags(inode)),
            Err(failure) => reply.error(failure.errno()),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let answer = Box::new(|result: Result<&[u8], Failure>| match result {
            Ok(bytes) => reply.data(bytes),
            Err(failure) => reply.error(failure.errno()),
        });
        self.0.read(handle.0, offset, size as usize, answer);
    }

    fn write(
        &self,
        request: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = data.len() as u32;
        let answer = Box::new(move |result: Result<(), Failure>| match result {
            Ok(()) => reply.written(written),
            Err(failure) => reply.error(failure.errno()),
        });
        self.0
            .write(&requester(request), handle.0, offset, data, answer);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Nothing to flush: after this answer the kernel does not ask again.
        reply.error(Errno::ENOSYS);
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.0.release(handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.error(Errno::EINVAL);
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply.error(Errno::EINVAL);
    }

    fn opendir(&self, request: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match node(inode).and_then(|node| self.0.open_directory(&requester(request), node)) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(failure) => reply.error(failure.errno()),
        }
    }

    fn readdir(
        &self,
        request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let entries =
            node(inode).and_then(|node| self.0.list(&requester(request), handle.0, node, offset));
        match entries {
            Ok(entries) => {
                for (index, entry) in entries.iter().enumerate().skip(offset as usize) {
                    let inode = INodeNo(inode::number(entry.node));
                    let next = index as u64 + 1;
                    if reply.add(inode, next, file_type(entry.node), &entry.name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(failure) => reply.error(failure.errno()),
        }
    }

    fn readdirplus(
        &self,
        request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let entries =
            node(inode).and_then(|node| self.0.list(&requester(request), handle.0, node, offset));
        match entries {
            Ok(entries) => {
                for (index, entry) in entries.iter().enumerate().skip(offset as usize) {
                    let found = self.0.entry_attributes(entry);
                    let attr = file_attr(&found);
                    let next = index as u64 + 1;
                    if reply.add(
                        attr.ino,
                        next,
                        &entry.name,
                        &found.lifetime,
                        &attr,
                        GENERATION,
                    ) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(failure) => reply.error(failure.errno()),
        }
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.0.release(handle.0);
        reply.ok();
    }

    fn statfs(&self, request: &Request, inode: INodeNo, reply: ReplyStatfs) {
        match node(inode).and_then(|node| self.0.statistics(&requester(request), node)) {
            Ok(()) => reply.statfs(0, 0, 0, 0, 0, 4096, 255, 4096),
            Err(failure) => reply.error(failure.errno()),
        }
    }

    // What follows is answered as in /proc, and answered at all so that nothing is
    // logged: isatty(3), which many a program asks of each file, is an ioctl.
    // ENOSYS has the kernel give its own answer, mostly without asking again.

    fn ioctl(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: IoctlFlags,
        _: u32,
        _: &[u8],
        _: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    fn poll(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: PollNotifier,
        _: PollEvents,
        _: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }

    /// Asked for SEEK_DATA and SEEK_HOLE alone: a table has no holes to tell of.
    fn lseek(&self, _: &Request, _: INodeNo, _: FileHandle, _: i64, _: i32, reply: ReplyLseek) {
        reply.error(Errno::EINVAL);
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u64,
        _: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _: &Request, _: INodeNo, size: u32, reply: ReplyXattr) {
        match size {
            0 => reply.size(0),
            _ => reply.data(&[]),
        }
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn setxattr(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: &[u8],
        _: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn removexattr(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    // What follows would change the tree. The answers are those of /proc: a name
    // cannot come to be, and one that is there cannot go.

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        reply.error(Failure::NotFound.errno());
    }

    fn mknod(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Failure::NotFound.errno());
    }

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply.error(Failure::NotFound.errno());
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _: &Path, reply: ReplyEntry) {
        reply.error(Failure::NotFound.errno());
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(Failure::NotFound.errno());
    }

    fn rename(
        &self,
        request: &Request,
        _: INodeNo,
        _: &OsStr,
        parent: INodeNo,
        name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let failure = match self.find(request, parent, name) {
            Ok(_) => Failure::Unchangeable,
            Err(failure) => failure,
        };
        reply.error(failure.errno());
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Failure::Unchangeable.errno());
    }

    fn rmdir(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Failure::Unchangeable.errno());
    }
}

impl Adapter {
    fn find(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
    ) -> Result<Attributes, Failure> {
        self.0.lookup(&requester(request), node(parent)?, name)
    }

    fn reply_attributes(&self, request: &Request, inode: INodeNo, reply: ReplyAttr) {
        match node(inode).and_then(|node| self.0.attributes(&requester(request), node)) {
            Ok(found) => reply.attr(&found.lifetime, &file_attr(&found)),
            Err(failure) => reply.error(failure.errno()),
        }
    }
}

fn node(inode: INodeNo) -> Result<Node, Failure> {
    inode::node(inode.0).ok_or(Failure::NotFound)
}

/// Nothing is cached. The control file has no positions: what is written is a
/// command, what is read is what was not read yet.
fn open_flags(inode: INodeNo) -> FopenFlags {
    match node(inode) {
        Ok(Node::Control(_)) => FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_STREAM,
        _ => FopenFlags::FOPEN_DIRECT_IO,
    }
}

fn requester(request: &Request) -> Requester {
    Requester {
        tid: request.pid(),
        uid: request.uid(),
        gid: request.gid(),
    }
}

fn file_type(node: Node) -> FileType {
    match node {
        Node::Directory(_) => FileType::Directory,
        Node::NetNamespaceName(_) => FileType::Symlink,
        Node::File(_) | Node::User(_) | Node::Control(_) => FileType::RegularFile,
    }
}

/// As in /proc: sizes are 0, since nobody knows before the pass.
fn file_attr(found: &Attributes) -> FileAttr {
    let kind = file_type(found.node);
    FileAttr {
        ino: INodeNo(inode::number(found.node)),
        size: 0,
        blocks: 0,
        atime: found.time,
        mtime: found.time,
        ctime: found.time,
        crtime: found.time,
        kind,
        perm: found.mode,
        nlink: if kind == FileType::Directory { 2 } else { 1 },
        uid: found.uid,
        gid: found.gid,
        rdev: 0,
        blksize: 128 * 1024,
        flags: 0,
    }
}
