//! Streams over fake passes: no kernel, no root.

mod errors;
mod interplay;
mod memory;
mod partitions;
mod readers;
mod reads;
mod repeats;
mod selections;

use super::*;
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::row::{Column, Kind, Schema, Unit, Width};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, channel};

/// The longest wait for something that is bound to happen.
const DEADLINE: Duration = Duration::from_secs(20);

/// One number per row.
fn schema() -> Arc<Schema> {
    Arc::new(Schema {
        row: "a number".into(),
        fixed_size: 4,
        tail_length: None,
        columns: vec![Column::new("n", 0, Kind::Unsigned(Width::Four, Unit::None))],
    })
}

/// A step of a fake pass.
#[derive(Clone)]
enum Act {
    Bytes(Vec<u8>),
    Nothing,
    /// Nothing, once this holds.
    NothingUntil(Arc<dyn Fn() -> bool + Send + Sync>),
    Fail(i32),
    Panic,
}

struct Fake {
    acts: VecDeque<Act>,
    steps: Arc<AtomicUsize>,
}

impl Source for Fake {
    fn read(&mut self, buffer: &mut [u8]) -> iterfs_mapping::Result<Progress> {
        self.steps.fetch_add(1, Ordering::SeqCst);
        match self.acts.pop_front() {
            Some(Act::Bytes(bytes)) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(Progress::Bytes(bytes.len()))
            }
            Some(Act::Nothing) => Ok(Progress::Nothing),
            Some(Act::NothingUntil(holds)) => {
                let deadline = Instant::now() + DEADLINE;
                while !holds() {
                    assert!(Instant::now() < deadline, "the condition never holds");
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(Progress::Nothing)
            }
            Some(Act::Fail(errno)) => Err(iterfs_mapping::Error::Pass(
                io::Error::from_raw_os_error(errno),
            )),
            Some(Act::Panic) => panic!("a panic that a test causes"),
            None => Ok(Progress::End),
        }
    }
}

struct Opened {
    stream: Stream,
    steps: Arc<AtomicUsize>,
    scheduler: Arc<Scheduler>,
}

fn open(acts: Vec<Act>) -> Opened {
    open_partitions(vec![acts], Format::JsonLines)
}

fn open_partitions(partitions: Vec<Vec<Act>>, format: Format) -> Opened {
    open_charged(partitions, format, Account::unbounded())
}

fn open_charged(partitions: Vec<Vec<Act>>, format: Format, account: Arc<Account>) -> Opened {
    let scheduler = Scheduler::with(3, 8, 1).unwrap();
    open_on(scheduler, partitions, format, account)
}

fn open_on(
    scheduler: Arc<Scheduler>,
    partitions: Vec<Vec<Act>>,
    format: Format,
    account: Arc<Account>,
) -> Opened {
    open_pass(scheduler, Some(schema()), partitions, format, account)
}

fn open_pass(
    scheduler: Arc<Scheduler>,
    schema: Option<Arc<Schema>>,
    partitions: Vec<Vec<Act>>,
    format: Format,
    account: Arc<Account>,
) -> Opened {
    let steps = Arc::new(AtomicUsize::new(0));
    let mut sources = partitions.into_iter().map(|acts| {
        Box::new(Fake {
            acts: acts.into(),
            steps: Arc::clone(&steps),
        }) as Box<dyn Source>
    });
    let pass = Pass {
        schema,
        source: sources.next().expect("a first partition"),
        rest: sources.collect(),
        waits_for_processes: false,
        asked: None,
    };
    Opened {
        stream: Stream::new(
            pass,
            format,
            Arc::default(),
            account,
            Arc::clone(&scheduler),
        ),
        steps,
        scheduler,
    }
}

/// The records of some numbers.
fn records(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(u32::to_ne_bytes).collect()
}

/// The file that shows some numbers.
fn file(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers
        .flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes())
        .collect()
}

/// A pass over this many numbers, 8000 per step.
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
            .recv_timeout(DEADLINE)
            .expect("a read is answered")
    }

    /// Reads from `offset` to the end, `size` bytes at a time.
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

    /// Reads this many bytes, however many reads that takes.
    fn read_on_to(&self, offset: u64, size: usize) -> Result<Vec<u8>, i32> {
        let mut all = Vec::new();
        while all.len() < size {
            let bytes = self.read(offset + all.len() as u64, size - all.len())?;
            assert!(
                !bytes.is_empty(),
                "the file ends {} bytes early",
                size - all.len()
            );
            all.extend(bytes);
        }
        Ok(all)
    }

    /// Waits until nothing is produced any more. Returns the number of steps so far.
    fn settled(&self) -> usize {
        let deadline = Instant::now() + DEADLINE;
        while !self.scheduler.is_idle() {
            assert!(Instant::now() < deadline, "the pass goes on");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.steps.load(Ordering::SeqCst)
    }
}

/// A pass over numbers in partitions of these lengths. Returns how many numbers there are.
fn partitions_of(lengths: &[u32]) -> (Vec<Vec<Act>>, u32) {
    let mut first = 0;
    let partitions = lengths.iter().map(|length| {
        let numbers = first..first + length;
        first += length;
        let steps = numbers.clone().step_by(1000);
        steps
            .map(|from| Act::Bytes(records(from..(from + 1000).min(numbers.end))))
            .collect()
    });
    (partitions.collect(), first)
}
