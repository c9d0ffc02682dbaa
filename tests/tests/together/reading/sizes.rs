//! The size of a table is 0 for every caller, and that keeps no caller from its bytes:
//! neither sendfile(2) and splice(2), nor asynchronous reads.

use iterfs_tests::Mount;
use iterfs_tests::calls::{read_by_aio, read_by_io_uring};
use iterfs_tests::fixtures::many_files::ManyFiles;
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;

/// Tables whose attributes the kernel caches, and others.
const TABLES: [&str; 3] = ["net/netlink", "summary/tasks_by_state.json", "bpf/links"];

fn tables(mount: &Mount) -> impl Iterator<Item = std::path::PathBuf> {
    TABLES
        .into_iter()
        .map(|table| mount.path(table))
        .filter(|path| path.exists())
}

/// Copies by a call that may use the page cache: it returns an error or the right bytes,
/// and never a false end of file.
fn check_copy(copied: rustix::io::Result<usize>, path: &Path) {
    match copied {
        Ok(bytes) => assert!(bytes > 0, "{} looks empty", path.display()),
        // The daemon answers EINVAL, and some kernels turn every error of a page into EIO.
        Err(errno) => {
            let expected = [rustix::io::Errno::INVAL, rustix::io::Errno::IO];
            assert!(expected.contains(&errno), "{}: {errno}", path.display());
        }
    }
}

fn send(file: &File, path: &Path) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    check_copy(rustix::fs::sendfile(&writer, file, None, 512), path);
    drop(reader);
}

fn splice(file: &File, path: &Path) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let flags = rustix::pipe::SpliceFlags::empty();
    check_copy(
        rustix::pipe::splice(file, None, &writer, None, 512, flags),
        path,
    );
    drop(reader);
}

/// The end is unknown; kernels before 5.17 take the beginning for it.
fn seek_to_the_end(mut file: &File, path: &Path) {
    match file.seek(SeekFrom::End(0)) {
        Ok(end) => assert_eq!(end, 0, "{}", path.display()),
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ESPIPE)),
    }
}

#[test]
fn copies_within_the_kernel_get_the_bytes_or_an_error() {
    let mount = Mount::new();
    for path in tables(&mount) {
        send(&File::open(&path).unwrap(), &path);
        splice(&File::open(&path).unwrap(), &path);
    }
}

/// A caller's question must neither show others the size that the kernel believes, nor change it.
#[test]
fn asking_for_the_size_meanwhile_changes_it_for_nobody() {
    const TIMES: usize = 1_500;
    let mount = Mount::new();
    for path in tables(&mount) {
        let open = || File::open(&path).unwrap();
        let size = |metadata: io::Result<fs::Metadata>| {
            assert_eq!(metadata.unwrap().size(), 0, "{}", path.display());
        };
        let asks: [&(dyn Fn() + Sync); 7] = [
            &|| send(&open(), &path),
            &|| {
                let file = open();
                size(file.metadata());
                send(&file, &path);
                size(file.metadata());
            },
            &|| splice(&open(), &path),
            &|| size(fs::metadata(&path)),
            &|| seek_to_the_end(&open(), &path),
            &|| {
                let mut text = Vec::new();
                open().read_to_end(&mut text).unwrap();
                assert!(!text.is_empty(), "{}", path.display());
            },
            &|| {
                let reopened =
                    rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
                size(File::from(reopened).metadata());
            },
        ];
        thread::scope(|scope| {
            for ask in asks {
                scope.spawn(move || (0..TIMES).for_each(|_| ask()));
            }
        });
    }
}

/// The control file has no positions, so commands can be appended.
#[test]
fn the_control_file_fails_as_the_tables_do() {
    let mount = Mount::new();
    for path in ["ctl", "ctl.json"].map(|name| mount.path(name)) {
        send(&File::open(&path).unwrap(), &path);
        splice(&File::open(&path).unwrap(), &path);
        let mut buffer = vec![0; 64 * 1024];
        let file = File::open(&path).unwrap();
        assert!(read_by_io_uring(file.as_fd(), &mut buffer, None).unwrap() > 0);
        assert_eq!(file.metadata().unwrap().size(), 0);
    }
    let path = mount.path("ctl");
    for _ in 0..3 {
        let mut appended = File::options().append(true).open(&path).unwrap();
        for _ in 0..3 {
            appended.write_all(b"reload").unwrap();
            send(&File::open(&path).unwrap(), &path);
        }
        assert_eq!(fs::metadata(&path).unwrap().size(), 0);
        let wrong = appended.write_all(b"no command").unwrap_err();
        assert_eq!(wrong.raw_os_error(), Some(libc::EINVAL));
    }
}

/// `> table` by root makes the kernel set a size.
#[test]
fn a_table_that_was_truncated_is_not_empty() {
    let mount = Mount::new();
    for path in tables(&mount) {
        let held = File::open(&path).unwrap();
        for _ in 0..3 {
            File::create(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().size(), 0);
            send(&held, &path);
            send(&File::open(&path).unwrap(), &path);
        }
    }
}

type ReadAt<'a> = &'a dyn Fn(&File, &mut [u8], u64) -> io::Result<usize>;

#[test]
fn asynchronous_reads_get_every_byte() {
    let mount = Mount::new();
    let process = ManyFiles::start(1, 8_000);
    let whole = mount.read(&process.table());
    let path = mount.path(&process.table());
    let by_aio: ReadAt<'_> = &|file, buffer, offset| read_by_aio(file.as_fd(), buffer, offset);
    let by_io_uring: ReadAt<'_> =
        &|file, buffer, offset| read_by_io_uring(file.as_fd(), buffer, Some(offset));
    for read in [by_aio, by_io_uring] {
        for flags in [OFlags::RDONLY, OFlags::DIRECT] {
            for piece in [4096, 100_000, 600_000, whole.len() + 1_000_000] {
                // The standard library repeats an open that is interrupted. A ring that has
                // just ended may interrupt the next call of its thread, as a signal does.
                let direct = flags.bits() as i32;
                let file = File::options().read(true).custom_flags(direct).open(&path);
                let file = file.unwrap();
                let mut buffer = vec![0; piece];
                let mut got = Vec::new();
                loop {
                    let length = read(&file, &mut buffer, got.len() as u64).unwrap();
                    got.extend_from_slice(&buffer[..length]);
                    if length == 0 {
                        break;
                    }
                }
                assert!(got == whole, "{flags:?} {piece}: {} bytes", got.len());
            }
        }
    }
}

/// The kernel may not move the position for io_uring (seen on 6.18). Then the next such
/// read fails rather than bring the same bytes again.
#[test]
fn io_uring_at_the_current_position_never_repeats() {
    let mount = Mount::new();
    let process = ManyFiles::start(1, 1_000);
    let whole = mount.read(&process.table());
    for _ in 0..20 {
        let file = File::open(mount.path(&process.table())).unwrap();
        let mut buffer = vec![0; 4096];
        let first = read_by_io_uring(file.as_fd(), &mut buffer, None).unwrap();
        assert!(buffer[..first] == whole[..first] && first > 0);
        match read_by_io_uring(file.as_fd(), &mut buffer, None) {
            Ok(second) => assert!(buffer[..second] == whole[first..first + second]),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ESPIPE)),
        }
        // A read at an explicit offset works.
        let third = read_by_io_uring(file.as_fd(), &mut buffer, Some(100)).unwrap();
        assert!(buffer[..third] == whole[100..100 + third] && third > 0);
    }
}
