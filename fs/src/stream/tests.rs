//! The stream over a fake pass: no kernel, no root.

use super::*;
use crate::memory::{self, Memory};
use crate::quota::{AccountId, Accounts, Quota};
use iterfs_bpf::schema::{Column, Kind, Schema, Unit, Width};
use iterfs_bpf::{Progress, Source};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// One number a row.
fn schema() -> Arc<Schema> {
    Arc::new(Schema {
        row: "a number".into(),
        fixed_size: 4,
        tail_length: None,
        columns: vec![Column {
            name: "n".into(),
            path: Vec::new(),
            doc: String::new(),
            offset: 0,
            kind: Kind::Unsigned(Width::Four, Unit::None),
            absent: None,
        }],
    })
}

/// What a fake pass does at a step.
#[derive(Clone)]
enum Act {
    Bytes(Vec<u8>),
    Nothing,
    /// Nothing, and not before that is so.
    NothingUntil(Arc<dyn Fn() -> bool + Send + Sync>),
    Fail(i32),
    Panic,
}

struct Fake {
    acts: VecDeque<Act>,
    steps: Arc<AtomicUsize>,
}

impl Source for Fake {
    fn read(&mut self, buffer: &mut [u8]) -> iterfs_bpf::Result<Progress> {
        self.steps.fetch_add(1, Ordering::SeqCst);
        match self.acts.pop_front() {
            Some(Act::Bytes(bytes)) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(Progress::Bytes(bytes.len()))
            }
            Some(Act::Nothing) => Ok(Progress::Nothing),
            Some(Act::NothingUntil(is_so)) => {
                let deadline = Instant::now() + Duration::from_secs(20);
                while !is_so() {
                    assert!(Instant::now() < deadline, "it never is so");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(Progress::Nothing)
            }
            Some(Act::Fail(errno)) => {
                Err(iterfs_bpf::Error::Pass(io::Error::from_raw_os_error(errno)))
            }
            Some(Act::Panic) => panic!("a fault that a test makes"),
            None => Ok(Progress::End),
        }
    }
}

struct Opened {
    stream: Stream,
    steps: Arc<AtomicUsize>,
}

fn open(acts: Vec<Act>) -> Opened {
    open_parts(vec![acts], Format::JsonLines)
}

fn open_parts(parts: Vec<Vec<Act>>, format: Format) -> Opened {
    open_charged(parts, format, Account::unbounded())
}

fn open_charged(parts: Vec<Vec<Act>>, format: Format, account: Arc<Account>) -> Opened {
    let steps = Arc::new(AtomicUsize::new(0));
    let mut sources = parts.into_iter().map(|acts| {
        Box::new(Fake {
            acts: acts.into(),
            steps: Arc::clone(&steps),
        }) as Box<dyn Source>
    });
    let pass = Pass {
        schema: Some(schema()),
        source: sources.next().expect("a first part"),
        rest: sources.collect(),
        waits_for_processes: false,
    };
    let scheduler = Scheduler::with(3, 8, 1, 3).unwrap();
    Opened {
        stream: Stream::new(pass, format, Arc::default(), account, scheduler),
        steps,
    }
}

/// Records of these numbers.
fn records(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(u32::to_ne_bytes).collect()
}

/// The file that these numbers make.
fn file(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers
        .flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes())
        .collect()
}

/// A pass of that many numbers in reads of 8000.
fn long_pass(count: u32) -> Vec<Act> {
    (0..count)
        .step_by(8000)
        .map(|from| Act::Bytes(records(from..(from + 8000).min(count))))
        .collect()
}

impl Opened {
    fn start_read(&self, offset: u64, size: usize) -> Receiver<Result<Vec<u8>, i32>> {
        let (send, receive) = channel();
        let answer = Box::new(move |result: crate::error::Result<&[u8]>| {
            let result = result.map(<[u8]>::to_vec);
            let _ = send.send(result.map_err(|failure| failure.errno().into()));
        });
        self.stream.read(offset, size, answer);
        receive
    }

    fn read(&self, offset: u64, size: usize) -> Result<Vec<u8>, i32> {
        self.start_read(offset, size)
            .recv_timeout(Duration::from_secs(20))
            .expect("a read is answered")
    }

    /// Reads on from `offset` to the end, `size` bytes at a time.
    fn read_on(&self, offset: u64, size: usize) -> Result<Vec<u8>, (Vec<u8>, i32)> {
        let mut all = Vec::new();
        loop {
            match self.read(offset + all.len() as u64, size) {
                Ok(bytes) if bytes.is_empty() => return Ok(all),
                Ok(bytes) => all.extend(bytes),
                Err(errno) => return Err((all, errno)),
            }
        }
    }

    /// Reads that many bytes, however many reads it takes.
    fn read_on_to(&self, offset: u64, size: usize) -> Result<Vec<u8>, i32> {
        let mut all = Vec::new();
        while all.len() < size {
            let bytes = self.read(offset + all.len() as u64, size - all.len())?;
            assert!(
                !bytes.is_empty(),
                "the end, {} bytes early",
                size - all.len()
            );
            all.extend(bytes);
        }
        Ok(all)
    }

    /// Waits until the pass has made no step for a while, and says how many it made.
    fn settled(&self) -> usize {
        let mut before = usize::MAX;
        loop {
            let now = self.steps.load(Ordering::SeqCst);
            if now == before {
                return now;
            }
            before = now;
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn records_cut_at_any_byte_are_put_together() {
    let bytes = records(0..50);
    for cut in 1..=17 {
        let acts = bytes.chunks(cut).map(|part| Act::Bytes(part.to_vec()));
        assert_eq!(open(acts.collect()).read_on(0, 4096).unwrap(), file(0..50));
    }
}

#[test]
fn reads_of_any_size_give_the_same_bytes() {
    for size in [1, 7, 4096, 1 << 20] {
        let acts = vec![Act::Bytes(records(0..100)), Act::Bytes(records(100..300))];
        assert_eq!(open(acts).read_on(0, size).unwrap(), file(0..300));
    }
}

#[test]
fn only_the_last_read_is_short() {
    for size in [1000, 4096, 65_536, 131_072, 1 << 20] {
        let whole = file(0..400_000);
        let opened = open(long_pass(400_000));
        for (index, expected) in whole.chunks(size).enumerate() {
            let read = opened.read((index * size) as u64, size).unwrap();
            assert_eq!(read, expected, "read {index} of {size} bytes");
        }
    }
}

#[test]
fn rows_do_not_wait_for_objects_without() {
    let was_read = Arc::new(AtomicBool::new(false));
    let is_read = Arc::clone(&was_read);
    let opened = open(vec![
        Act::Bytes(records(0..3)),
        Act::Nothing,
        Act::Nothing,
        Act::NothingUntil(Arc::new(move || is_read.load(Ordering::SeqCst))),
        Act::Bytes(records(3..6)),
    ]);
    assert_eq!(opened.read(0, 4096).unwrap(), file(0..3));
    was_read.store(true, Ordering::SeqCst);
    assert_eq!(
        opened.read(file(0..3).len() as u64, 4096).unwrap(),
        file(3..6)
    );
}

#[test]
fn steps_without_rows_are_passed_over() {
    let acts = vec![
        Act::Nothing,
        Act::Bytes(records(0..1)),
        Act::Nothing,
        Act::Nothing,
        Act::Bytes(records(1..2)),
        Act::Nothing,
    ];
    assert_eq!(open(acts).read_on(0, 4096).unwrap(), file(0..2));
}

#[test]
fn nothing_is_produced_before_a_read() {
    let opened = open(long_pass(8000));
    assert_eq!(opened.settled(), 0);
}

#[test]
fn a_handle_that_nobody_reads_stops_producing() {
    let steps = 2_000_000 / 8000;
    let opened = open(long_pass(2_000_000));
    opened.read(0, 1).unwrap();
    let made = opened.settled();
    assert!((1..steps / 4).contains(&made), "{made} of {steps}");
    // And goes on when it is read again.
    assert_eq!(opened.read_on(0, 1 << 17).unwrap(), file(0..2_000_000));
}

#[test]
fn what_is_kept_is_bounded() {
    let opened = open(long_pass(2_000_000));
    opened.read_on(0, 1 << 17).unwrap();
    let state = opened.stream.shared.state.lock();
    let kept = state.window.kept();
    assert!(kept <= 1024 * 1024 + 3 * 256 * 1024, "{kept} bytes kept");
}

#[test]
fn the_last_mebibyte_can_be_read_again() {
    let whole = file(0..400_000);
    let opened = open(long_pass(400_000));
    assert_eq!(opened.read_on(0, 1 << 17).unwrap(), whole);
    let end = whole.len();
    let back = end - 1_000_000;
    assert_eq!(opened.read_on(back as u64, 1 << 17).unwrap(), whole[back..]);
    assert_eq!(opened.read(0, 10), Err(libc::ESPIPE));
    assert_eq!(opened.read(end as u64, 10), Ok(Vec::new()));
    assert_eq!(opened.read(end as u64 + 1_000_000, 10), Ok(Vec::new()));
}

#[test]
fn a_seek_ahead_skips() {
    let whole = file(0..400_000);
    let opened = open(long_pass(400_000));
    let at = whole.len() / 2;
    assert_eq!(opened.read_on(at as u64, 1 << 17).unwrap(), whole[at..]);
}

#[test]
fn an_error_comes_after_the_rows_before_it() {
    let acts = vec![
        Act::Bytes(records(0..3)),
        Act::Fail(libc::E2BIG),
        Act::Bytes(records(3..6)),
    ];
    let opened = open(acts);
    assert_eq!(opened.read_on(0, 4096), Err((file(0..3), libc::E2BIG)));
    assert_eq!(opened.read(file(0..3).len() as u64, 1), Err(libc::E2BIG));
    assert_eq!(opened.read(0, 5).unwrap(), file(0..3)[..5]);
}

#[test]
fn a_fault_of_ours_is_an_error_to_the_reader() {
    let acts = vec![Act::Bytes(records(0..3)), Act::Panic];
    assert_eq!(open(acts).read_on(0, 4096), Err((file(0..3), libc::EIO)));
    // Ahead of the reader, on a thread of the pool, as well.
    let mut acts = long_pass(100_000);
    acts.push(Act::Panic);
    let (read, errno) = open(acts).read_on(0, 1 << 17).unwrap_err();
    assert_eq!((read.len(), errno), (file(0..100_000).len(), libc::EIO));
}

#[test]
fn a_pass_that_ends_inside_a_row_is_an_error() {
    let mut bytes = records(0..2);
    bytes.pop();
    let opened = open(vec![Act::Bytes(bytes)]);
    assert_eq!(opened.read_on(0, 4096), Err((file(0..1), libc::EIO)));
}

#[test]
fn several_reads_at_once_are_all_answered() {
    let opened = open(long_pass(100_000));
    let whole = file(0..100_000);
    let reads: Vec<_> = (0..20u64)
        .map(|index| (index, opened.start_read(index * 1000, 1000)))
        .collect();
    for (index, answer) in reads {
        let at = index as usize * 1000;
        let bytes = answer
            .recv_timeout(Duration::from_secs(20))
            .unwrap()
            .unwrap();
        assert_eq!(bytes, whole[at..at + bytes.len()]);
        assert!(!bytes.is_empty());
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_pass() {
    let opened = open(long_pass(2_000_000));
    opened.read(0, 1).unwrap();
    let shared = Arc::downgrade(&opened.stream.shared);
    drop(opened);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while shared.upgrade().is_some() {
        assert!(std::time::Instant::now() < deadline, "the pass goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A pass of numbers in parts of different lengths, some without any.
fn in_parts(lengths: &[u32]) -> (Vec<Vec<Act>>, u32) {
    let mut first = 0;
    let parts = lengths.iter().map(|length| {
        let numbers = first..first + length;
        first += length;
        let steps = numbers.clone().step_by(1000);
        steps
            .map(|from| Act::Bytes(records(from..(from + 1000).min(numbers.end))))
            .collect()
    });
    (parts.collect(), first)
}

#[test]
fn parts_come_out_in_order() {
    for lengths in [
        &[0, 0, 5, 0, 3][..],
        &[1; 100],
        &[100_000, 1, 200_000, 0, 7, 50_000],
        &[0; 10],
    ] {
        let (parts, all) = in_parts(lengths);
        let opened = open_parts(parts, Format::JsonLines);
        assert!(
            opened.read_on(0, 1 << 17).unwrap() == file(0..all),
            "{lengths:?}"
        );
    }
}

#[test]
fn an_array_of_parts_is_one_array() {
    for lengths in [
        &[0, 0, 5, 0, 3][..],
        &[40_000, 0, 40_000],
        &[0; 10],
        &[2, 0],
    ] {
        let (parts, all) = in_parts(lengths);
        let bytes = open_parts(parts, Format::Json).read_on(0, 1 << 17).unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
        let numbers: Vec<_> = rows.iter().map(|row| row["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..u64::from(all)).collect::<Vec<_>>());
        assert!(bytes.starts_with(b"[") && bytes.ends_with(b"]\n"));
        assert!(!bytes.starts_with(b"[,"));
    }
}

#[test]
fn parts_behind_the_front_do_not_pile_up() {
    let (mut parts, _) = in_parts(&[1_000_000; 6]);
    // The front stands still once it has begun.
    parts[0].truncate(1);
    let steps: usize = parts.iter().map(Vec::len).sum();
    let opened = open_parts(parts, Format::JsonLines);
    opened.read(0, 1).unwrap();
    assert!(opened.settled() < steps / 2);
}

#[test]
fn an_error_in_a_part_comes_after_the_parts_before_it() {
    let (mut parts, _) = in_parts(&[10_000, 10_000, 10_000]);
    parts[1].insert(3, Act::Fail(libc::E2BIG));
    let opened = open_parts(parts, Format::JsonLines);
    let (read, errno) = opened.read_on(0, 1 << 17).unwrap_err();
    assert_eq!((read, errno), (file(0..13_000), libc::E2BIG));
    let mut parts = in_parts(&[10_000, 10_000, 10_000]).0;
    parts[2].push(Act::Panic);
    let (read, errno) = open_parts(parts, Format::JsonLines)
        .read_on(0, 1 << 17)
        .unwrap_err();
    assert_eq!((read, errno), (file(0..30_000), libc::EIO));
}

#[test]
fn a_reader_that_goes_away_ends_all_parts() {
    let opened = open_parts(in_parts(&[500_000; 8]).0, Format::JsonLines);
    opened.read(0, 1).unwrap();
    let shared = Arc::downgrade(&opened.stream.shared);
    drop(opened);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while shared.upgrade().is_some() {
        assert!(std::time::Instant::now() < deadline, "the pass goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_waits_behind_the_front_is_on_the_account_until_it_goes() {
    let quota = Quota {
        handles: 1,
        bytes: 400_000,
    };
    let accounts = Accounts::new(10, Memory::new(memory::DEFAULT));
    let seat = accounts.open(AccountId::of_uid(7), quota, Duration::ZERO);
    let account = seat.as_ref().unwrap().account();
    // The front makes nothing, so all that is made waits behind it.
    let (mut parts, _) = in_parts(&[0, 1_000_000, 1_000_000]);
    let whole = file(0..30_000);
    let fills = Arc::clone(&account);
    let is_full = move || fills.used() > quota.bytes / 8;
    parts[0] = vec![Act::NothingUntil(Arc::new(is_full))];
    let opened = open_charged(parts, Format::JsonLines, Arc::clone(&account));
    assert!(opened.read_on_to(0, 1 << 18).unwrap() == whole[..1 << 18]);
    opened.settled();
    assert!(account.used() > 0);
    drop((opened, seat));
    assert_eq!(account.used(), 0, "something stayed on the account");
}

#[test]
fn many_readers_of_one_account_read_on_whatever_is_kept_for_them() {
    const READERS: usize = 64;
    let quota = Quota {
        handles: 1,
        bytes: 16 * 1024 * 1024,
    };
    let accounts = Accounts::new(10, Memory::new(memory::DEFAULT));
    let seat = accounts.open(AccountId::of_uid(7), quota, Duration::ZERO);
    let account = seat.as_ref().unwrap().account();
    let whole = file(0..200_000);
    let open = || {
        let parts = vec![long_pass(200_000)];
        open_charged(parts, Format::JsonLines, Arc::clone(&account))
    };
    let readers: Vec<_> = (0..READERS).map(|_| open()).collect();
    // All have read as far before any goes on.
    let mut most = 0;
    for at in (0..whole.len()).step_by(1 << 17) {
        for reader in &readers {
            let wanted = &whole[at..(at + (1 << 17)).min(whole.len())];
            assert!(reader.read_on_to(at as u64, wanted.len()).unwrap() == wanted);
            most = most.max(account.used());
        }
    }
    // Each alone would keep two mebibytes; some is for what is just being made.
    assert!(most < 2 * quota.bytes, "{most} bytes kept");
    // What every reader keeps behind it can be read again.
    for reader in &readers {
        let at = whole.len() - memory::LEAST_BEHIND as usize;
        assert!(reader.read_on_to(at as u64, 1000).unwrap() == whole[at..at + 1000]);
    }
}

/// A read that its caller can give up.
struct Patient(Arc<AtomicBool>);

impl Answer for Patient {
    fn is_abandoned(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn commit(&self) -> bool {
        true
    }

    fn send(self: Box<Self>, _: crate::error::Result<&[u8]>) {
        assert!(self.is_abandoned(), "a pass without rows answers nothing");
    }
}

#[test]
fn a_pass_that_nobody_waits_for_rests_until_it_is_read_again() {
    let end = Arc::new(AtomicBool::new(false));
    let silent = {
        let end = Arc::clone(&end);
        Act::NothingUntil(Arc::new(move || end.load(Ordering::SeqCst)))
    };
    // Steps that bring nothing, and then rows.
    let mut acts = vec![silent];
    acts.extend(vec![Act::Nothing; 100]);
    acts.push(Act::Bytes(records(0..10)));
    let opened = Arc::new(open(acts));

    let given_up = Arc::new(AtomicBool::new(false));
    let reader = {
        let (opened, given_up) = (Arc::clone(&opened), Arc::clone(&given_up));
        std::thread::spawn(move || (opened.stream).read(0, 4096, Box::new(Patient(given_up))))
    };
    while opened.steps.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    given_up.store(true, Ordering::SeqCst);
    opened.stream.abandoned();
    end.store(true, Ordering::SeqCst);
    reader.join().unwrap();
    assert!(opened.settled() < 100, "{} steps", opened.settled());

    assert_eq!(opened.read_on(0, 4096).unwrap(), file(0..10));
}
