//! Positions, descriptors, and other operations on an open file.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::many_files::ManyFiles;
use iterfs_tests::wait::DEADLINE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const MIB: usize = 1024 * 1024;

/// FUSE_SUPER_MAGIC (include/uapi/linux/magic.h).
const FUSE: i64 = 0x6573_5546;

/// A table of more than two MiB in which nothing changes.
struct Large {
    mount: Mount,
    process: ManyFiles,
    whole: Vec<u8>,
}

impl Large {
    fn new() -> Large {
        let mount = Mount::new();
        let process = ManyFiles::start(1, 19_000);
        let whole = mount.read(&process.table());
        assert!(whole.len() > 2 * MIB, "{}", whole.len());
        assert_eq!(lines(&whole), process.rows() + 1, "a header and the rows");
        Large {
            mount,
            process,
            whole,
        }
    }

    fn open(&self) -> File {
        File::open(self.mount.path(&self.process.table())).unwrap()
    }
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

fn rest(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_last_mebibyte_can_be_read_again() {
    let large = Large::new();
    let mut file = large.open();
    let mut begun = vec![0; 2 * MIB];
    file.read_exact(&mut begun).unwrap();
    assert!(begun == large.whole[..2 * MIB], "the first pass");

    assert_eq!(
        file.seek(SeekFrom::Current(-(MIB as i64))).unwrap(),
        MIB as u64
    );
    let mut again = vec![0; MIB];
    file.read_exact(&mut again).unwrap();
    assert!(again == large.whole[MIB..2 * MIB], "the same bytes");

    file.seek(SeekFrom::Current(-1)).unwrap();
    assert!(rest(&mut file) == large.whole[2 * MIB - 1..], "to the end");
    let end = large.whole.len();
    file.seek(SeekFrom::Start((end - MIB) as u64)).unwrap();
    assert!(rest(&mut file) == large.whole[end - MIB..], "from the end");
}

#[test]
fn a_seek_further_back_than_what_is_kept_fails_and_harms_nothing() {
    let large = Large::new();
    let mut file = large.open();
    let mut begun = vec![0; 2 * MIB];
    file.read_exact(&mut begun).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let error = file.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESPIPE));
    let error = file.read_at(&mut [0; 10], 100).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESPIPE));
    file.seek(SeekFrom::Start(2 * MIB as u64)).unwrap();
    assert!(rest(&mut file) == large.whole[2 * MIB..], "onwards");
}

#[test]
fn a_seek_ahead_skips() {
    let large = Large::new();
    for start in [1, 1000, MIB, 2 * MIB, large.whole.len() - 1] {
        let mut file = large.open();
        file.seek(SeekFrom::Start(start as u64)).unwrap();
        assert!(rest(&mut file) == large.whole[start..], "from {start}");
    }
    let end = large.whole.len() as u64;
    for start in [end, end + 1, 1 << 40, i64::MAX as u64 - 4096] {
        let mut file = large.open();
        file.seek(SeekFrom::Start(start)).unwrap();
        assert_eq!(rest(&mut file), b"", "from {start}");
    }
}

#[test]
fn threads_share_a_descriptor_by_position() {
    const PIECE: usize = 10_000;
    let large = Large::new();
    let file = large.open();
    let next = AtomicU64::new(0);
    // No thread falls further behind than the bytes that are kept.
    let end = MIB as u64;
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut piece = [0; PIECE];
                loop {
                    let at = next.fetch_add(PIECE as u64, Ordering::Relaxed);
                    if at >= end {
                        return;
                    }
                    file.read_exact_at(&mut piece, at).unwrap();
                    assert!(piece == large.whole[at as usize..][..PIECE], "at {at}");
                }
            });
        }
    });
    assert_eq!((&file).stream_position().unwrap(), 0, "pread moves nothing");
}

#[test]
fn two_descriptors_are_two_passes() {
    let large = Large::new();
    let (mut first, mut second) = (large.open(), large.open());
    let mut begun = vec![0; 100_001];
    first.read_exact(&mut begun).unwrap();
    assert!(rest(&mut second) == large.whole, "the second is whole");
    begun.extend(rest(&mut first));
    assert!(begun == large.whole, "the first goes on");
}

#[test]
fn copies_of_a_descriptor_share_the_position() {
    let large = Large::new();
    let mut file = large.open();
    let mut copy = file.try_clone().unwrap();
    let mut read = vec![0; 300];
    file.read_exact(&mut read[..100]).unwrap();
    copy.read_exact(&mut read[100..200]).unwrap();
    drop(file);
    copy.read_exact(&mut read[200..]).unwrap();
    assert_eq!(read, large.whole[..300]);
}

#[test]
fn flags_change_nothing() {
    let mount = Mount::new();
    let process = ManyFiles::start(1, 100);
    let path = mount.path(&process.table());
    let whole = mount.read(&process.table());
    for flags in [
        OFlags::APPEND,
        OFlags::NONBLOCK,
        OFlags::DIRECT,
        OFlags::NOATIME,
        OFlags::SYNC,
        OFlags::NOFOLLOW,
        OFlags::RDWR,
    ] {
        let mut file =
            File::from(rustix::fs::open(&path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap());
        assert_eq!(rest(&mut file), whole, "{flags:?}");
    }
}

#[test]
fn a_table_is_ready_to_be_read() {
    let mount = Mount::new();
    let mut file = File::open(mount.path("tasks")).unwrap();
    let timeout = Timespec::try_from(DEADLINE).unwrap();
    for _ in 0..2 {
        let mut polled = [PollFd::new(&file, PollFlags::IN)];
        assert_eq!(poll(&mut polled, Some(&timeout)).unwrap(), 1);
        assert!(polled[0].revents().contains(PollFlags::IN));
        assert!(!rest(&mut file).is_empty() || file.stream_position().unwrap() > 0);
    }
}

#[test]
fn stat_and_statfs_tell_what_proc_tells() {
    let mount = Mount::new();
    let file = File::open(mount.path("tasks")).unwrap();
    let metadata = file.metadata().unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.len(), 0, "unknown before a pass, as in /proc");
    assert!(mount.path("net").metadata().unwrap().is_dir());
    for path in ["", "tasks", "net"] {
        let statfs = rustix::fs::statfs(mount.path(path)).unwrap();
        assert_eq!(statfs.f_type, FUSE, "{path}");
        assert_eq!((statfs.f_blocks, statfs.f_bfree), (0, 0), "{path}");
    }
}

#[test]
fn reading_at_the_end_stays_at_the_end() {
    let mount = Mount::new();
    let mut file = File::open(mount.path("processes")).unwrap();
    assert!(!rest(&mut file).is_empty());
    let _newer = ManyFiles::start(2, 10);
    for _ in 0..3 {
        assert_eq!(file.read(&mut [0; 100]).unwrap(), 0);
    }
}

#[test]
fn a_process_may_end_while_it_is_read() {
    let Large {
        mount,
        process,
        whole,
    } = Large::new();
    let directory = format!("pid/{}", process.pid());
    let mut file = File::open(mount.path(&process.table())).unwrap();
    let mut unread = File::open(mount.path(&process.table())).unwrap();
    let mut begun = vec![0; 1000];
    file.read_exact(&mut begun).unwrap();
    drop(process);

    begun.extend(rest(&mut file));
    assert_eq!(begun.last(), Some(&b'\n'), "no row is torn");
    assert!(whole.starts_with(&begun), "the rows there were");
    assert_eq!(lines(&rest(&mut unread)), 1, "nothing but the header");
    assert!(!mount.path(&directory).exists());
    let error = File::open(mount.path(&directory).join("files")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
}
