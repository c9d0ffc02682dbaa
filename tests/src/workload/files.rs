//! A process with open files of every type.

use super::threads::asleep;
use super::{netlink, sys};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signalfd::{SfdFlags, SigSet, SignalFd};
use nix::sys::socket::SockProtocol;
use nix::sys::stat::{Mode as NodeMode, SFlag, mknod};
use nix::unistd::mkfifo;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, inotify, memfd_create, open as open_path};
use rustix::io::{FdFlags, dup, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// Names of files that a table must escape in one format or another.
pub const ODD_NAMES: [&[u8]; 9] = [
    b"with blanks  in it",
    b"line\nline\r\n",
    b"tab\tbell\x07",
    b"\"double\" 'single', comma",
    b"back\\slash \\040",
    "é \u{2028}\u{a0}\u{85} 漢".as_bytes(),
    b"\xff\xfe invalid",
    b"\xc3 \\ \" \n both",
    b"looks (deleted)",
];

/// What has been opened, by name.
struct Opened(Value);

impl Opened {
    fn keep(&mut self, name: &str, file: impl IntoRawFd) {
        self.0[name] = file.into_raw_fd().into();
    }

    fn open(&mut self, name: &str, path: &Path, flags: OFlags) -> io::Result<()> {
        self.keep(name, open_path(path, flags, Mode::from(0o640))?);
        Ok(())
    }
}

/// Opens files in a directory and of other kinds; the facts are their descriptors.
///
/// # Errors
/// If the kernel refuses one.
pub fn open(directory: &Path) -> io::Result<Value> {
    let mut opened = Opened(json!({}));
    regular(&mut opened, directory)?;
    names(&mut opened, directory)?;
    special(&mut opened, directory)?;
    sockets(&mut opened, directory)?;
    nameless(&mut opened)?;
    Ok(opened.0)
}

fn regular(opened: &mut Opened, directory: &Path) -> io::Result<()> {
    let path = directory.join("regular");
    fs::write(&path, [b'x'; 12_345])?;
    fs::hard_link(&path, directory.join("second name"))?;
    opened.open("read", &path, OFlags::RDONLY)?;
    opened.open("write", &path, OFlags::WRONLY | OFlags::SYNC)?;
    opened.open("both", &path, OFlags::RDWR | OFlags::CLOEXEC)?;
    opened.open("neither", &path, OFlags::WRONLY | OFlags::RDWR)?;
    opened.open("noatime", &path, OFlags::NOATIME | OFlags::NOFOLLOW)?;
    opened.open("path", &path, OFlags::PATH | OFlags::CLOEXEC)?;

    let append = OFlags::WRONLY | OFlags::APPEND | OFlags::DSYNC | OFlags::NONBLOCK;
    let mut appending = fs::File::from(open_path(&path, append, Mode::empty())?);
    appending.write_all(b"more")?;
    opened.keep("append", appending);

    let mut moved = fs::File::open(&path)?;
    moved.seek(SeekFrom::Start(4_000_000_000))?;
    opened.keep("duplicate", dup(&moved)?);
    opened.keep("position", moved);

    let kept = fs::File::open(&path)?;
    fcntl_setfd(&kept, FdFlags::empty())?;
    opened.keep("kept over exec", kept);
    let closed = open_path(&path, OFlags::RDONLY, Mode::empty())?;
    fcntl_setfd(&closed, FdFlags::CLOEXEC)?;
    opened.keep("closed at exec", closed);

    let temporary = OFlags::TMPFILE | OFlags::RDWR | OFlags::EXCL;
    opened.open("temporary", directory, temporary)?;
    let path = directory.join("deleted");
    let creation = OFlags::CREATE | OFlags::EXCL | OFlags::TRUNC | OFlags::RDWR;
    opened.open("deleted", &path, creation)?;
    fs::remove_file(&path)?;
    opened.open("directory", directory, OFlags::DIRECTORY | OFlags::CLOEXEC)?;
    Ok(())
}

fn names(opened: &mut Opened, directory: &Path) -> io::Result<()> {
    for (number, name) in ODD_NAMES.iter().enumerate() {
        let path = directory.join(OsStr::from_bytes(name));
        opened.open(
            &format!("odd {number}"),
            &path,
            OFlags::CREATE | OFlags::RDWR,
        )?;
    }
    let mut deep = PathBuf::from(directory);
    for _ in 0..10 {
        deep.push("d".repeat(220));
    }
    fs::create_dir_all(&deep)?;
    opened.open("deep", &deep.join("file"), OFlags::CREATE | OFlags::WRONLY)
}

fn special(opened: &mut Opened, directory: &Path) -> io::Result<()> {
    opened.open("null", Path::new("/dev/null"), OFlags::RDWR)?;
    opened.open(
        "terminal",
        Path::new("/dev/ptmx"),
        OFlags::RDWR | OFlags::NOCTTY,
    )?;

    let disk = fs::read_dir("/sys/block")?.next();
    let disk = disk.ok_or_else(|| io::Error::other("no block device to open"))??;
    let number = fs::read_to_string(disk.path().join("dev"))?;
    let numbers = number
        .trim()
        .split_once(':')
        .map(|(major, minor)| (major.parse(), minor.parse()));
    let Some((Ok(major), Ok(minor))) = numbers else {
        return Err(io::Error::other(format!("{number:?} is no device")));
    };
    let path = directory.join("block");
    let device = nix::sys::stat::makedev(major, minor);
    mknod(&path, SFlag::S_IFBLK, NodeMode::S_IRUSR, device)?;
    opened.open("block", &path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    opened.open("block path", &path, OFlags::PATH)?;

    let path = directory.join("fifo");
    mkfifo(&path, NodeMode::S_IRWXU)?;
    opened.open("fifo", &path, OFlags::RDWR)?;
    let path = directory.join("link");
    std::os::unix::fs::symlink("nowhere", &path)?;
    opened.open("link", &path, OFlags::PATH | OFlags::NOFOLLOW)?;
    opened.open("namespace", Path::new("/proc/self/ns/net"), OFlags::RDONLY)?;
    opened.open("proc", Path::new("/proc/self/status"), OFlags::RDONLY)
}

fn sockets(opened: &mut Opened, directory: &Path) -> io::Result<()> {
    let path = directory.join("socket");
    opened.keep("unix listener", UnixListener::bind(&path)?);
    opened.open("socket path", &path, OFlags::PATH)?;
    opened.keep("unix stream", UnixStream::connect(&path)?);
    opened.keep("unix datagram", UnixDatagram::unbound()?);
    for (name, host) in [("v4", "127.0.0.1:0"), ("v6", "[::1]:0")] {
        let listener = TcpListener::bind(host)?;
        opened.keep(
            &format!("tcp {name}"),
            TcpStream::connect(listener.local_addr()?)?,
        );
        opened.keep(&format!("tcp listener {name}"), listener);
        opened.keep(&format!("udp {name}"), UdpSocket::bind(host)?);
    }
    opened.keep("netlink", netlink::open(SockProtocol::NetlinkRoute, 0)?);
    let packet = socket(AddressFamily::PACKET, SocketType::DGRAM, None)?;
    opened.keep("packet", packet);
    Ok(())
}

fn nameless(opened: &mut Opened) -> io::Result<()> {
    let (reader, writer) = pipe_with(PipeFlags::NONBLOCK)?;
    opened.keep("pipe reader", reader);
    opened.keep("pipe writer", writer);
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, "/", inotify::WatchFlags::CREATE)?;
    opened.keep("inotify", watch);
    let event: OwnedFd = eventfd(7, EventfdFlags::CLOEXEC)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &poll,
        &event,
        epoll::EventData::new_u64(1),
        epoll::EventFlags::IN,
    )?;
    opened.keep("epoll", poll);
    opened.keep("eventfd", event);
    opened.keep("timerfd", sys::timerfd()?);
    let signals = SignalFd::with_flags(&SigSet::empty(), SfdFlags::SFD_NONBLOCK)?;
    opened.keep("signalfd", OwnedFd::from(signals));
    let mut memory = fs::File::from(memfd_create("name with blanks", MemfdFlags::empty())?);
    memory.write_all(&[0; 5000])?;
    opened.keep("memfd", memory);
    opened.keep("pidfd", pidfd_open(getpid(), PidfdFlags::empty())?);
    Ok(())
}

/// Threads with the process's table of descriptors and with one of their own; the
/// facts are their ids and the descriptor that one alone has.
///
/// # Errors
/// If the kernel refuses one.
pub fn unshared_tables() -> io::Result<Value> {
    let (sender, receiver) = mpsc::channel();
    let unshared = asleep("unshared", move || {
        unshare(CloneFlags::CLONE_FILES)?;
        let own = rustix::fs::openat(CWD, "/dev/full", OFlags::WRONLY, Mode::empty())?;
        sender.send(own.into_raw_fd()).map_err(io::Error::other)
    })?;
    let own = receiver.recv().map_err(io::Error::other)?;
    let shared = asleep("shared", || Ok(()))?;
    Ok(json!({ "unshared": unshared, "shared": shared, "own": own }))
}
