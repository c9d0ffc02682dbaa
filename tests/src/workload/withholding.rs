//! A process whose memory map nobody can look at, by the will of an unprivileged user.
//!
//! The user serves a file by a FUSE of its own and never answers a write. A second process
//! maps that file, changes it, and maps something else in its place: the kernel writes the
//! file back while it holds the lock of the process's memory map, and waits.

use super::sys;
use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyOpen, ReplyWrite, Request, Session, SessionACL,
    WriteFlags,
};
use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

/// Bytes of the file that is served.
const SIZE: u32 = 4096;

/// How long the kernel may believe its attributes.
const LIFETIME: Duration = Duration::from_secs(3600);

/// Mounts, as root of a user namespace, `directory/file` by the device `directory/fuse`,
/// and starts the second process; its id is the fact `locked`.
///
/// # Errors
/// The kernel's.
pub fn start(directory: &Path) -> io::Result<Value> {
    let file = directory.join("file");
    let device = File::options()
        .read(true)
        .write(true)
        .open(directory.join("fuse"))?;
    let options = format!(
        "fd={},rootmode=100666,user_id=0,group_id=0",
        device.as_raw_fd()
    );
    mount(
        Some("withholding"),
        &file,
        Some("fuse"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(options.as_str()),
    )?;
    let (say, withheld) = channel();
    let served = Withholding {
        withheld: say,
        writes: Mutex::default(),
    };
    let device = OwnedFd::from(device);
    let session = Session::from_fd(served, device, SessionACL::Owner, Config::default())?;
    thread::spawn(move || session.run());
    // Its own memory cannot be the one that is locked: it answers to the kernel.
    let mut locked = Command::new(std::env::current_exe()?)
        .arg("withheld")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    while withheld.recv_timeout(Duration::from_millis(10)).is_err() {
        if let Some(status) = locked.try_wait()? {
            return Err(io::Error::other(format!("it wrote nothing: {status}")));
        }
    }
    Ok(json!({ "locked": locked.id() }))
}

/// Becomes the second process, which returns from here once the write is answered.
///
/// # Errors
/// The kernel's.
pub fn be_withheld(path: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    // Of a root that nobody has looked up the kernel knows no size yet.
    file.metadata()?;
    sys::change_and_map_over(file.as_fd())
}

/// A filesystem that is one file.
struct Withholding {
    withheld: Sender<()>,
    /// Never answered while the filesystem is served.
    writes: Mutex<Vec<ReplyWrite>>,
}

impl Filesystem for Withholding {
    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let attributes = FileAttr {
            ino,
            size: u64::from(SIZE),
            blocks: 8,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: FileType::RegularFile,
            perm: 0o666,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: SIZE,
            flags: 0,
        };
        reply.attr(&LIFETIME, &attributes);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match offset {
            0 => reply.data(&vec![0; SIZE.min(size) as usize]),
            _ => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        if let Ok(mut writes) = self.writes.lock() {
            writes.push(reply);
        }
        // If nobody listens, the workload ends, and with it all of this.
        let _ = self.withheld.send(());
    }
}
