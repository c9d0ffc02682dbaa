//! Operations that the tree does not support fail as they do in /proc.

use iterfs_tests::Mount;
use iterfs_tests::calls::{self, Sharing};
use iterfs_tests::wait::wait_until;
use rustix::fs::{CWD, FallocateFlags, FileType, Mode, OFlags, XattrFlags};
use std::fs;
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The same kinds of names on both filesystems, and some outside.
struct Ground {
    root: PathBuf,
    file: PathBuf,
    other: PathBuf,
    directory: PathBuf,
    new: PathBuf,
    outside: TempDir,
}

impl Ground {
    fn new(root: &Path, file: &str, other: &str, directory: &str) -> Ground {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("there"), "").unwrap();
        Ground {
            root: root.into(),
            file: root.join(file),
            other: root.join(other),
            directory: root.join(directory),
            new: root.join("new"),
            outside,
        }
    }

    fn of_proc() -> Ground {
        Ground::new(Path::new("/proc"), "meminfo", "uptime", "sys")
    }

    fn of(mount: &Mount) -> Ground {
        Ground::new(mount.directory(), "tasks", "processes", "net")
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.outside.path().join(name)
    }
}

type Call = fn(&Ground) -> io::Result<()>;

fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(
        path,
        flags | OFlags::CLOEXEC,
        Mode::from_raw_mode(0o600),
    )?)
}

fn write(path: &Path, flags: OFlags) -> io::Result<()> {
    rustix::io::write(open(path, flags)?, b"x")?;
    Ok(())
}

fn read(path: &Path, flags: OFlags) -> io::Result<()> {
    let read = rustix::io::read(open(path, flags)?, &mut [0; 10])?;
    assert!(read > 0, "{}", path.display());
    Ok(())
}

fn read_only(path: &Path) -> io::Result<OwnedFd> {
    open(path, OFlags::RDONLY)
}

fn write_only(path: &Path) -> io::Result<OwnedFd> {
    open(path, OFlags::WRONLY)
}

/// The errno of an outcome, 0 for success.
fn errno(outcome: io::Result<()>) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(error) => error.raw_os_error().expect("a system call's error"),
    }
}

/// Fails unless each call is answered as in /proc, and as written here.
fn check_as_in_proc(calls: &[(&str, i32, Call)]) {
    let mount = Mount::new();
    let (ours, of_proc) = (Ground::of(&mount), Ground::of_proc());
    let wrong: Vec<_> = calls
        .iter()
        .map(|(name, expected, call)| (name, expected, errno(call(&ours)), errno(call(&of_proc))))
        .filter(|&(_, &expected, ours, of_proc)| (ours, of_proc) != (expected, expected))
        .collect();
    assert!(wrong.is_empty(), "call, expected, ours, /proc's: {wrong:?}");
    assert!(
        !ours.outside("new").exists() && ours.outside("there").exists(),
        "a name moved"
    );
}

#[test]
fn names_cannot_be_created() {
    check_as_in_proc(&[
        ("create", libc::ENOENT, |at| {
            open(&at.new, OFlags::CREATE | OFlags::WRONLY).map(drop)
        }),
        ("create what is there", 0, |at| {
            open(&at.file, OFlags::CREATE | OFlags::WRONLY).map(drop)
        }),
        ("create exclusively", libc::EEXIST, |at| {
            open(&at.file, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY).map(drop)
        }),
        ("nameless", libc::EOPNOTSUPP, |at| {
            open(&at.root, OFlags::TMPFILE | OFlags::RDWR).map(drop)
        }),
        ("mkdir", libc::ENOENT, |at| fs::create_dir(&at.new)),
        ("mkdir what is there", libc::EEXIST, |at| {
            fs::create_dir(&at.file)
        }),
        ("mknod", libc::ENOENT, |at| {
            let mode = Mode::from_raw_mode(0o600);
            Ok(rustix::fs::mknodat(CWD, &at.new, FileType::Fifo, mode, 0)?)
        }),
        ("symlink", libc::ENOENT, |at| {
            std::os::unix::fs::symlink("target", &at.new)
        }),
        ("link", libc::ENOENT, |at| fs::hard_link(&at.file, &at.new)),
        ("link to what is there", libc::EEXIST, |at| {
            fs::hard_link(&at.file, &at.other)
        }),
        ("link outwards", libc::EXDEV, |at| {
            fs::hard_link(&at.file, at.outside("new"))
        }),
        ("rename inwards", libc::EXDEV, |at| {
            fs::rename(at.outside("there"), &at.new)
        }),
    ]);
}

#[test]
fn names_that_are_there_stay() {
    check_as_in_proc(&[
        ("rename", libc::ENOENT, |at| fs::rename(&at.file, &at.new)),
        ("rename over another", libc::EPERM, |at| {
            fs::rename(&at.file, &at.other)
        }),
        ("rename a directory", libc::ENOENT, |at| {
            fs::rename(&at.directory, &at.new)
        }),
        ("rename outwards", libc::EXDEV, |at| {
            fs::rename(&at.file, at.outside("new"))
        }),
        ("rename nothing", libc::ENOENT, |at| {
            fs::rename(&at.new, at.root.join("newer"))
        }),
        ("unlink", libc::EPERM, |at| fs::remove_file(&at.file)),
        ("unlink nothing", libc::ENOENT, |at| {
            fs::remove_file(&at.new)
        }),
        ("unlink a directory", libc::EISDIR, |at| {
            fs::remove_file(&at.directory)
        }),
        ("rmdir", libc::EPERM, |at| fs::remove_dir(&at.directory)),
        ("rmdir a file", libc::ENOTDIR, |at| fs::remove_dir(&at.file)),
        ("rmdir nothing", libc::ENOENT, |at| fs::remove_dir(&at.new)),
    ]);
}

#[test]
fn names_that_lead_nowhere_fail_as_in_proc() {
    check_as_in_proc(&[
        ("no such name", libc::ENOENT, |at| {
            read_only(&at.new).map(drop)
        }),
        ("the longest name", libc::ENOENT, |at| {
            read_only(&at.root.join("x".repeat(255))).map(drop)
        }),
        ("bytes that are not text", libc::ENOENT, |at| {
            use std::os::unix::ffi::OsStrExt;
            read_only(&at.root.join(std::ffi::OsStr::from_bytes(b"\xff\xfe"))).map(drop)
        }),
        ("below a file", libc::ENOTDIR, |at| {
            read_only(&at.file.join("x")).map(drop)
        }),
        ("a file as a directory", libc::ENOTDIR, |at| {
            open(&at.file, OFlags::DIRECTORY).map(drop)
        }),
        ("list a file", libc::ENOTDIR, |at| {
            fs::read_dir(&at.file).map(drop)
        }),
        ("readlink", libc::EINVAL, |at| {
            fs::read_link(&at.file).map(drop)
        }),
        ("execute", libc::EACCES, |at| {
            std::process::Command::new(&at.file).output().map(drop)
        }),
        ("open a directory to read", 0, |at| {
            read_only(&at.directory).map(drop)
        }),
        ("read a directory", libc::EISDIR, |at| {
            read(&at.directory, OFlags::RDONLY)
        }),
        ("write a directory", libc::EISDIR, |at| {
            write_only(&at.directory).map(drop)
        }),
        ("read and write a directory", libc::EISDIR, |at| {
            open(&at.directory, OFlags::RDWR).map(drop)
        }),
    ]);
}

#[test]
fn contents_cannot_be_written() {
    check_as_in_proc(&[
        ("write", libc::EIO, |at| write(&at.file, OFlags::WRONLY)),
        ("write, read only", libc::EBADF, |at| {
            write(&at.file, OFlags::RDONLY)
        }),
        ("write, read and write", libc::EIO, |at| {
            write(&at.file, OFlags::RDWR)
        }),
        ("append", libc::EIO, |at| {
            write(&at.file, OFlags::WRONLY | OFlags::APPEND)
        }),
        ("write over", libc::EIO, |at| {
            write(&at.file, OFlags::WRONLY | OFlags::TRUNC)
        }),
        ("read, write only", libc::EBADF, |at| {
            read(&at.file, OFlags::WRONLY)
        }),
        ("read, read and write", 0, |at| read(&at.file, OFlags::RDWR)),
        ("truncate", 0, |at| Ok(nix::unistd::truncate(&at.file, 0)?)),
        ("lengthen", 0, |at| Ok(nix::unistd::truncate(&at.file, 10)?)),
        ("truncate a directory", libc::EISDIR, |at| {
            Ok(nix::unistd::truncate(&at.directory, 0)?)
        }),
        ("ftruncate", 0, |at| {
            Ok(rustix::fs::ftruncate(write_only(&at.file)?, 0)?)
        }),
        ("ftruncate, read only", libc::EINVAL, |at| {
            Ok(rustix::fs::ftruncate(read_only(&at.file)?, 0)?)
        }),
        ("fallocate", libc::EOPNOTSUPP, |at| {
            let flags = FallocateFlags::empty();
            Ok(rustix::fs::fallocate(write_only(&at.file)?, flags, 0, 9)?)
        }),
        ("fsync", libc::EINVAL, |at| {
            Ok(rustix::fs::fsync(read_only(&at.file)?)?)
        }),
        ("fdatasync", libc::EINVAL, |at| {
            Ok(rustix::fs::fdatasync(read_only(&at.file)?)?)
        }),
        ("fsync a directory", libc::EINVAL, |at| {
            Ok(rustix::fs::fsync(read_only(&at.directory)?)?)
        }),
    ]);
}

#[test]
fn extended_attributes_and_device_calls_fail_as_in_proc() {
    const FS_IOC_GETFLAGS: libc::c_ulong = 0x8008_6601;
    check_as_in_proc(&[
        ("setxattr", libc::EOPNOTSUPP, |at| {
            let flags = XattrFlags::empty();
            Ok(rustix::fs::setxattr(&at.file, "user.x", b"1", flags)?)
        }),
        ("getxattr", libc::EOPNOTSUPP, |at| {
            rustix::fs::getxattr(&at.file, "user.x", &mut [0u8; 16])?;
            Ok(())
        }),
        ("removexattr", libc::EOPNOTSUPP, |at| {
            Ok(rustix::fs::removexattr(&at.file, "user.x")?)
        }),
        ("listxattr", 0, |at| list_no_attributes(&at.file)),
        ("listxattr of a directory", 0, |at| {
            list_no_attributes(&at.directory)
        }),
        ("isatty", libc::ENOTTY, |at| {
            calls::ioctl(read_only(&at.file)?.as_fd(), libc::TCGETS)
        }),
        ("isatty of a directory", libc::ENOTTY, |at| {
            calls::ioctl(read_only(&at.directory)?.as_fd(), libc::TCGETS)
        }),
        ("ioctl", libc::ENOTTY, |at| {
            calls::ioctl(read_only(&at.file)?.as_fd(), FS_IOC_GETFLAGS)
        }),
        ("bytes there are to read", 0, |at| {
            calls::ioctl(read_only(&at.file)?.as_fd(), libc::FIONREAD)
        }),
    ]);
}

fn list_no_attributes(path: &Path) -> io::Result<()> {
    assert_eq!(rustix::fs::listxattr(path, &mut [0u8; 0])?, 0);
    assert_eq!(rustix::fs::listxattr(path, &mut [0u8; 64])?, 0);
    Ok(())
}

#[test]
fn invalid_positions_are_refused() {
    use rustix::fs::{SeekFrom, seek};
    check_as_in_proc(&[
        ("seek to before the start", libc::EINVAL, |at| {
            seek(read_only(&at.file)?, SeekFrom::Current(-1))?;
            Ok(())
        }),
        ("seek to data", libc::EINVAL, |at| {
            seek(read_only(&at.file)?, SeekFrom::Data(0))?;
            Ok(())
        }),
        ("seek to a hole", libc::EINVAL, |at| {
            seek(read_only(&at.file)?, SeekFrom::Hole(0))?;
            Ok(())
        }),
        ("seek far", 0, |at| {
            seek(read_only(&at.file)?, SeekFrom::Start(i64::MAX as u64))?;
            Ok(())
        }),
    ]);
}

/// Calls whose answers differ from those of /proc, and the reasons.
#[test]
fn attributes_cannot_be_changed_where_proc_lets_root() {
    let mount = Mount::new();
    let ours = Ground::of(&mount);
    let outcome = |call: Call| errno(call(&ours));

    // /proc lets root change a file's mode and owner until the next boot. Here
    // they are the mount's options.
    let chmod: Call = |at| Ok(rustix::fs::chmod(&at.file, Mode::from_raw_mode(0o644))?);
    assert_eq!(outcome(chmod), libc::EPERM);
    let chown: Call = |at| std::os::unix::fs::chown(&at.file, Some(1), Some(1));
    assert_eq!(outcome(chown), libc::EPERM);

    // The kernel refuses these with another errno, without asking the daemon.
    let map: Call = |at| calls::map(read_only(&at.file)?.as_fd(), Sharing::Shared);
    assert_eq!(outcome(map), libc::ENODEV);
    assert_eq!(errno(map(&Ground::of_proc())), libc::EIO);
    let link: Call = |at| fs::hard_link(&at.directory, &at.new);
    assert_eq!(outcome(link), libc::EPERM);

    // The kernel allows this without asking the daemon. No byte of the mapping can be read.
    let map: Call = |at| calls::map(read_only(&at.file)?.as_fd(), Sharing::Private);
    assert_eq!(outcome(map), 0);

    // A table's end is unknown. /proc answers EINVAL; programs that look for the end
    // (tac, tail) take ESPIPE for a pipe, which they read. Linux before 5.17 does not let
    // us say so, and the end is at 0.
    let end: Call = |at| fs::File::open(&at.file)?.seek(SeekFrom::End(0)).map(drop);
    assert!([0, libc::ESPIPE].contains(&outcome(end)));
    assert_eq!(errno(end(&Ground::of_proc())), libc::EINVAL);
}

/// Tools such as Python's open() make such calls on every file they open.
#[test]
fn a_refused_reader_is_not_logged() {
    let mount = Mount::new();
    let at = Ground::of(&mount);
    let file = read_only(&at.file).unwrap();
    let refused = calls::ioctl(file.as_fd(), libc::TCGETS).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::ENOTTY));
    let missing = read_only(&at.new).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    rustix::fs::getxattr(&at.file, "security.selinux", &mut [0u8; 16]).unwrap_err();
    // A separate thread reads the log: once a later line has arrived, all earlier
    // ones have.
    assert!(!mount.read("files").is_empty());
    let is_later = |line: &String| line.contains("loaded") && line.contains("files");
    wait_until("the log goes on", || mount.log().iter().any(is_later));
    let log = mount.log();
    let complaint = |line: &&String| line.contains("WARN") || line.contains("ERROR");
    assert_eq!(log.iter().find(complaint), None);
}
