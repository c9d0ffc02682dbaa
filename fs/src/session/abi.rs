//! The messages of FUSE as they lie on the wire: include/uapi/linux/fuse.h of Linux 6.18.
//!
//! Names follow the kernel's. Members that iterfs never looks at keep their place as
//! padding. Every kernel since 5.8 speaks this layout (protocol 7.31).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The operation of a request (enum fuse_opcode).
pub(super) mod opcode {
    pub(in crate::session) const LOOKUP: u32 = 1;
    pub(in crate::session) const FORGET: u32 = 2;
    pub(in crate::session) const GETATTR: u32 = 3;
    pub(in crate::session) const SETATTR: u32 = 4;
    pub(in crate::session) const READLINK: u32 = 5;
    pub(in crate::session) const SYMLINK: u32 = 6;
    pub(in crate::session) const MKNOD: u32 = 8;
    pub(in crate::session) const MKDIR: u32 = 9;
    pub(in crate::session) const UNLINK: u32 = 10;
    pub(in crate::session) const RMDIR: u32 = 11;
    pub(in crate::session) const RENAME: u32 = 12;
    pub(in crate::session) const LINK: u32 = 13;
    pub(in crate::session) const OPEN: u32 = 14;
    pub(in crate::session) const READ: u32 = 15;
    pub(in crate::session) const WRITE: u32 = 16;
    pub(in crate::session) const STATFS: u32 = 17;
    pub(in crate::session) const RELEASE: u32 = 18;
    pub(in crate::session) const FSYNC: u32 = 20;
    pub(in crate::session) const GETXATTR: u32 = 22;
    pub(in crate::session) const LISTXATTR: u32 = 23;
    pub(in crate::session) const OPENDIR: u32 = 27;
    pub(in crate::session) const READDIR: u32 = 28;
    pub(in crate::session) const RELEASEDIR: u32 = 29;
    pub(in crate::session) const FSYNCDIR: u32 = 30;
    pub(in crate::session) const CREATE: u32 = 35;
    pub(in crate::session) const INTERRUPT: u32 = 36;
    pub(in crate::session) const DESTROY: u32 = 38;
    pub(in crate::session) const IOCTL: u32 = 39;
    pub(in crate::session) const POLL: u32 = 40;
    pub(in crate::session) const BATCH_FORGET: u32 = 42;
    pub(in crate::session) const READDIRPLUS: u32 = 44;
    pub(in crate::session) const RENAME2: u32 = 45;
    pub(in crate::session) const LSEEK: u32 = 46;
}

/// A GETATTR names an open handle.
pub(super) const GETATTR_FH: u32 = 1 << 0;

/// The members that a SETATTR changes.
pub(super) const FATTR_MODE: u32 = 1 << 0;
pub(super) const FATTR_UID: u32 = 1 << 1;
pub(super) const FATTR_GID: u32 = 1 << 2;

/// struct fuse_in_header: before every request.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct InHeader {
    pub(super) len: u32,
    pub(super) opcode: u32,
    pub(super) unique: u64,
    pub(super) nodeid: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) pid: u32,
    pub(super) total_extlen: u16,
    pub(super) padding: u16,
}

/// struct fuse_out_header: before every reply.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct OutHeader {
    pub(super) len: u32,
    /// 0, or a negative errno.
    pub(super) error: i32,
    pub(super) unique: u64,
}

/// struct fuse_attr.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct Attr {
    pub(super) ino: u64,
    pub(super) size: u64,
    pub(super) blocks: u64,
    pub(super) atime: u64,
    pub(super) mtime: u64,
    pub(super) ctime: u64,
    pub(super) atimensec: u32,
    pub(super) mtimensec: u32,
    pub(super) ctimensec: u32,
    pub(super) mode: u32,
    pub(super) nlink: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) rdev: u32,
    pub(super) blksize: u32,
    pub(super) flags: u32,
}

/// struct fuse_entry_out: the reply to LOOKUP, and before each name of READDIRPLUS.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct EntryOut {
    pub(super) nodeid: u64,
    pub(super) generation: u64,
    pub(super) entry_valid: u64,
    pub(super) attr_valid: u64,
    pub(super) entry_valid_nsec: u32,
    pub(super) attr_valid_nsec: u32,
    pub(super) attr: Attr,
}

/// struct fuse_attr_out.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct AttrOut {
    pub(super) attr_valid: u64,
    pub(super) attr_valid_nsec: u32,
    pub(super) dummy: u32,
    pub(super) attr: Attr,
}

/// struct fuse_getattr_in; the handle follows.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct GetattrIn {
    pub(super) getattr_flags: u32,
    pub(super) dummy: u32,
}

/// struct fuse_forget_one: an inode, and the number of its lookups that are forgotten.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct ForgetOne {
    pub(super) nodeid: u64,
    pub(super) nlookup: u64,
}

/// A POLL whose caller wants to be woken (FUSE_POLL_SCHEDULE_NOTIFY).
pub(super) const POLL_SCHEDULE_NOTIFY: u32 = 1 << 0;

/// struct fuse_poll_in.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct PollIn {
    pub(super) fh: u64,
    /// The number by which those who poll this file are woken.
    pub(super) kh: u64,
    pub(super) flags: u32,
    pub(super) events: u32,
}

/// struct fuse_poll_out.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct PollOut {
    pub(super) revents: u32,
    pub(super) padding: u32,
}

/// struct fuse_forget_in: the number of lookups of the inode that are forgotten.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct ForgetIn {
    pub(super) nlookup: u64,
}

/// struct fuse_batch_forget_in, which the entries follow.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct BatchForgetIn {
    pub(super) count: u32,
    pub(super) dummy: u32,
    pub(super) inodes: [ForgetOne],
}

/// struct fuse_setattr_in: the members that a request changes. Their values follow.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct SetattrIn {
    pub(super) valid: u32,
    pub(super) padding: u32,
}

/// struct fuse_open_in.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct OpenIn {
    pub(super) flags: u32,
    pub(super) open_flags: u32,
}

/// struct fuse_open_out.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct OpenOut {
    pub(super) fh: u64,
    pub(super) open_flags: u32,
    pub(super) backing_id: i32,
}

/// struct fuse_read_in.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct ReadIn {
    pub(super) fh: u64,
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) read_flags: u32,
    pub(super) lock_owner: u64,
    pub(super) flags: u32,
    pub(super) padding: u32,
}

/// struct fuse_write_in; the bytes follow.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct WriteIn {
    pub(super) fh: u64,
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) write_flags: u32,
    pub(super) lock_owner: u64,
    pub(super) flags: u32,
    pub(super) padding: u32,
}

/// struct fuse_write_out.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct WriteOut {
    pub(super) size: u32,
    pub(super) padding: u32,
}

/// struct fuse_release_in: the handle. Flags follow.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct ReleaseIn {
    pub(super) fh: u64,
}

/// struct fuse_getxattr_in, which LISTXATTR uses as well; the name follows for GETXATTR.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct GetxattrIn {
    pub(super) size: u32,
    pub(super) padding: u32,
}

/// struct fuse_getxattr_out: the size of the attribute.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct GetxattrOut {
    pub(super) size: u32,
    pub(super) padding: u32,
}

/// struct fuse_rename_in; two names follow.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct RenameIn {
    pub(super) newdir: u64,
}

/// struct fuse_rename2_in; two names follow.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct Rename2In {
    pub(super) newdir: u64,
    pub(super) flags: u32,
    pub(super) padding: u32,
}

/// struct fuse_interrupt_in: the request whose caller no longer waits.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct InterruptIn {
    pub(super) unique: u64,
}

/// struct fuse_statfs_out, which is struct fuse_kstatfs.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct StatfsOut {
    pub(super) blocks: u64,
    pub(super) bfree: u64,
    pub(super) bavail: u64,
    pub(super) files: u64,
    pub(super) ffree: u64,
    pub(super) bsize: u32,
    pub(super) namelen: u32,
    pub(super) frsize: u32,
    pub(super) padding: u32,
    pub(super) spare: [u32; 6],
}

/// struct fuse_dirent: before each name of a READDIR.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub(super) struct Dirent {
    pub(super) ino: u64,
    pub(super) off: u64,
    pub(super) namelen: u32,
    /// A file type as in the mode of a file, shifted down by 12.
    pub(super) kind: u32,
}

/// Directory entries begin at multiples of this (FUSE_DIRENT_ALIGN).
pub(super) const DIRENT_ALIGNMENT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_kernel() {
        // FUSE_COMPAT_* and sizeof() of fuse.h 7.31 and later.
        assert_eq!(size_of::<InHeader>(), 40);
        assert_eq!(size_of::<OutHeader>(), 16);
        assert_eq!(size_of::<Attr>(), 88);
        assert_eq!(size_of::<EntryOut>(), 128);
        assert_eq!(size_of::<AttrOut>(), 104);
        assert_eq!(size_of::<OpenOut>(), 16);
        assert_eq!(size_of::<ReadIn>(), 40);
        assert_eq!(size_of::<WriteIn>(), 40);
        assert_eq!(size_of::<StatfsOut>(), 80);
        assert_eq!(size_of::<Dirent>(), 24);
    }
}
