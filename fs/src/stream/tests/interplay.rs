//! Reads, work and abandoned readers in any order, without threads.
//!
//! The tests take work out of a stream and carry it out one stage at a time, in an order that
//! proptest chooses, so that every interleaving of workers and readers can occur.

use super::*;
use crate::access::memory::{LEAST_BEHIND, Memory};
use crate::access::quota::{AccountId, Accounts, Quota};
use crate::format::Formatter;
use crate::stream::pipeline::WorkItem;
use iterfs_mapping::row::Records;
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

/// An event that a stream meets.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A read where the last one ended.
    ReadOn { size: usize },
    /// A read at this many thousandths of the file.
    ReadAt { thousandths: usize, size: usize },
    /// A worker carries out one of the stages that are taken out.
    Work { which: usize, read_on: bool },
    /// The callers of all waiting reads give up.
    GiveUp,
    /// The account is short of memory.
    Trim,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let size = 1usize..100_000;
    let event = prop_oneof![
        3 => size.clone().prop_map(|size| Event::ReadOn { size }),
        1 => (0usize..1100, size).prop_map(|(thousandths, size)| Event::ReadAt { thousandths, size }),
        6 => any::<(usize, bool)>().prop_map(|(which, read_on)| Event::Work { which, read_on }),
        1 => Just(Event::GiveUp),
        1 => Just(Event::Trim),
    ];
    proptest::collection::vec(event, 0..60)
}

/// The numbers of rows that each step of each partition yields.
fn steps() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let step = prop_oneof![1 => Just(0), 4 => 1u32..3000];
    let partition = proptest::collection::vec(step, 0..6);
    proptest::collection::vec(partition, 1..4)
}

/// The acts of a pass whose steps yield this many rows, and the number of all rows.
fn acts(steps: &[Vec<u32>]) -> (Vec<Vec<Act>>, u32) {
    let mut first = 0;
    let mut act = |rows: u32| {
        let numbers = first..first + rows;
        first += rows;
        match rows {
            0 => Act::Nothing,
            _ => Act::Bytes(records(numbers)),
        }
    };
    let acts = steps
        .iter()
        .map(|steps| steps.iter().map(|rows| act(*rows)).collect())
        .collect();
    (acts, first)
}

/// The file that one formatter makes of all rows.
fn whole_file(format: Format, rows: u32) -> Vec<u8> {
    let schema = schema();
    let mut formatter = Formatter::new(format, &schema);
    let mut file = Vec::new();
    formatter.begin(&mut file);
    for record in Records::new(&schema, &records(0..rows)) {
        formatter.row(&schema, record, &mut file);
    }
    file.extend_from_slice(formatter.framing().tail(rows > 0));
    file
}

/// Where the answer to a read is kept, as bytes or an errno.
type Slot = Arc<Mutex<Option<Result<Vec<u8>, i32>>>>;

/// A read that was begun, and its answer if it has one.
struct Begun {
    offset: usize,
    size: usize,
    given_up: Arc<AtomicBool>,
    answer: Slot,
}

/// Notes the answer to a read.
struct Note {
    given_up: Arc<AtomicBool>,
    answer: Slot,
}

impl Answer for Note {
    fn is_abandoned(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    fn commit(&self) -> bool {
        true
    }

    fn send(self: Box<Self>, outcome: crate::error::Result<&[u8]>) {
        let outcome = outcome.map(<[u8]>::to_vec);
        let outcome = outcome.map_err(|failure| failure.errno().into());
        let before = self.answer.lock().replace(outcome);
        assert!(before.is_none(), "a second answer");
    }
}

/// A stream whose work the test carries out.
struct Driven {
    shared: Arc<Shared>,
    items: Vec<WorkItem>,
    reads: Vec<Begun>,
    /// The offset at which the last read ended.
    position: usize,
}

impl Driven {
    fn new(opened: &Opened) -> Driven {
        Driven {
            shared: Arc::clone(&opened.stream.shared),
            items: Vec::new(),
            reads: Vec::new(),
            position: 0,
        }
    }

    fn read(&mut self, offset: usize, size: usize) {
        let given_up = Arc::new(AtomicBool::new(false));
        let answer = Arc::new(Mutex::new(None));
        let note = Note {
            given_up: Arc::clone(&given_up),
            answer: Arc::clone(&answer),
        };
        let read = Read {
            offset: offset as u64,
            size,
            asked: Instant::now(),
            answer: Box::new(note),
        };
        let mut state = self.shared.state.lock();
        let answered = state.begin_read(read, || {
            let keeper: Weak<Shared> = Arc::downgrade(&self.shared);
            self.shared.account.join(keeper)
        });
        self.items.extend(state.wanted());
        drop(state);
        if let Some((read, outcome)) = answered {
            outcome.send(read);
        }
        self.position = offset + size;
        self.reads.push(Begun {
            offset,
            size,
            given_up,
            answer,
        });
    }

    fn happen(&mut self, event: Event, file: usize) {
        match event {
            Event::ReadOn { size } => self.read(self.position, size),
            Event::ReadAt { thousandths, size } => self.read(file * thousandths / 1000, size),
            Event::Work { which, read_on } => {
                if !self.items.is_empty() {
                    let item = self.items.swap_remove(which % self.items.len());
                    self.items.extend(self.shared.advance(item, read_on));
                }
            }
            Event::GiveUp => {
                let waiting = |read: &&Begun| read.answer.lock().is_none();
                let mut any = false;
                for read in self.reads.iter().filter(waiting) {
                    read.given_up.store(true, Ordering::SeqCst);
                    any = true;
                }
                let mut state = self.shared.state.lock();
                drop(state.forget_abandoned());
                let wanted = state.wanted();
                assert!(!any || wanted.is_empty(), "work for nobody");
                self.items.extend(wanted);
            }
            Event::Trim => self.shared.trim(),
        }
    }

    /// Carries out all work.
    fn finish(&mut self) {
        while let Some(item) = self.items.pop() {
            self.items.extend(self.shared.advance(item, true));
        }
    }

    /// Checks the answers that were given. `whole` says that no read may be short.
    fn check(&self, file: &[u8], whole: bool) -> Result<(), TestCaseError> {
        let mut furthest = 0;
        for read in &self.reads {
            furthest = furthest.max(read.offset + read.size);
            match &*read.answer.lock() {
                Some(Ok(bytes)) => {
                    let rest = file.get(read.offset..).unwrap_or_default();
                    let wanted = &rest[..read.size.min(rest.len())];
                    prop_assert!(wanted.starts_with(bytes), "other bytes");
                    prop_assert!(!bytes.is_empty() || rest.is_empty(), "an early end");
                    prop_assert!(!whole || bytes.len() == wanted.len(), "a short read");
                }
                Some(Err(errno)) => {
                    prop_assert_eq!(*errno, libc::ESPIPE);
                    prop_assert!(read.offset + (LEAST_BEHIND as usize) < furthest);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Whether each read whose caller waited was answered.
    fn all_are_answered(&self) -> bool {
        let given_up = |read: &Begun| read.given_up.load(Ordering::SeqCst);
        let mut reads = self.reads.iter();
        reads.all(|read| given_up(read) || read.answer.lock().is_some())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_read_gets_its_bytes_whatever_happens_before(
        steps in steps(),
        events in events(),
        format in proptest::sample::select(&Format::ALL[..]),
    ) {
        let (acts, rows) = acts(&steps);
        let file = whole_file(format, rows);
        let opened = open_partitions(acts, format);
        let mut driven = Driven::new(&opened);
        for event in events {
            driven.happen(event, file.len());
        }
        driven.finish();
        prop_assert!(driven.all_are_answered());
        let is_dense = steps.iter().flatten().all(|rows| *rows > 0);
        driven.check(&file, is_dense)?;
        // The reader comes back and reads the end.
        driven.read(file.len().saturating_sub(100), 200);
        driven.finish();
        prop_assert!(driven.all_are_answered());
        driven.check(&file, is_dense)?;
    }

    #[test]
    fn a_stream_short_of_memory_answers_too_and_gives_everything_back(
        steps in steps(),
        events in events(),
        bytes in 1u64..400_000,
        finishes: bool,
    ) {
        let quota = Quota { handles: 1, bytes };
        let accounts = Accounts::new(10, Memory::new(crate::access::memory::DEFAULT));
        let seat = accounts.open(AccountId::of_uid(7), quota, Duration::ZERO);
        let account = seat.as_ref().unwrap().account();
        let (acts, rows) = acts(&steps);
        let file = whole_file(Format::Json, rows);
        let opened = open_charged(acts, Format::Json, Arc::clone(&account));
        let mut driven = Driven::new(&opened);
        for event in events {
            driven.happen(event, file.len());
        }
        if finishes {
            driven.finish();
            prop_assert!(driven.all_are_answered());
        }
        driven.check(&file, false)?;
        // Work that is under way when the file is closed comes to nothing.
        drop(opened);
        driven.finish();
        drop(driven);
        prop_assert_eq!(account.used(), 0);
    }
}
