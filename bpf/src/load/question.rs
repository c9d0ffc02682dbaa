//! A question as the programs evaluate it: `struct question` of `programs/lib/question.h`.

use iterfs_mapping::query::{Clause, Filter, Place, Probe, Question, Test};
use iterfs_mapping::row::{Schema, Width};
use zerocopy::{Immutable, IntoBytes};

/// The name of the map of questions in the programs.
pub(crate) const MAP_NAME: &str = "questions";

/// `MAX_TESTS`, `MAX_WORDS`, `MADE_MAX` and `NO_OFFSET` of `programs/lib/question.h`.
const TESTS: usize = 16;
const WORDS: usize = 32;
const MADE: usize = 512;
const NO_OFFSET: u16 = 0xffff;

/// The programs find values below this offset (`ROW_MAX` of `programs/lib/text/column.h`).
const ROW: usize = 8192;

/// The most bytes of a map's key and value that a program puts together to look at them (half of
/// the reader's record, `CHUNK` of `programs/lib/map_bytes.h`).
const MAP_BYTES: usize = 4096;

/// `enum probe`.
const NEVER: u8 = 0;
const RANGE: u8 = 1;
const ANY_BIT: u8 = 2;
const BYTES: u8 = 3;

/// `enum test_flag`.
const NEGATED: u8 = 1;
const LAST: u8 = 2;
const SIGNED: u8 = 4;
const TAIL: u8 = 8;
const WHOLE: u8 = 16;

/// `struct test`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Immutable, IntoBytes)]
#[repr(C)]
struct Entry {
    low: u64,
    high: u64,
    offset: u16,
    length: u16,
    first: u8,
    width: u8,
    probe: u8,
    flags: u8,
}

/// `struct question`.
#[derive(Clone, Debug, Eq, PartialEq, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Encoded {
    tests: u32,
    unused: u32,
    test: [Entry; TESTS],
    words: [u64; WORDS],
    made: [u64; MADE / 64],
}

impl Encoded {
    /// Whether there are conditions, so that a program leaves rows out.
    pub(crate) fn has_tests(&self) -> bool {
        self.tests > 0
    }
}

/// A question, and which conditions of it the programs evaluate.
pub(crate) struct Divided {
    pub(crate) encoded: Encoded,
    pub(crate) in_kernel: Filter,
    pub(crate) in_daemon: Filter,
}

/// Divides a question's conditions between the program and the daemon. `template` is the row as
/// the program declares it, without a map's keys and values.
pub(crate) fn divide(question: &Question, template: &Schema) -> Divided {
    let of_map = question
        .schema
        .fixed_size
        .saturating_sub(template.fixed_size);
    let mut writer = Writer::default();
    let (mut in_kernel, mut in_daemon) = (Filter::default(), Filter::default());
    let mut clauses: Vec<_> = question.filter.clauses.iter().collect();
    // A program looks at the columns in the order in which it makes them.
    clauses.sort_by_key(|clause| place(clause));
    for clause in clauses {
        let side = match of_map <= MAP_BYTES && writer.add(clause) {
            true => &mut in_kernel,
            false => &mut in_daemon,
        };
        side.clauses.push(clause.clone());
    }
    let mut encoded = writer.encoded();
    for offset in question.made.offsets() {
        if let Some(word) = encoded.made.get_mut(offset / 64) {
            *word |= 1 << (offset % 64);
        }
    }
    Divided {
        encoded,
        in_kernel,
        in_daemon,
    }
}

/// The place of a clause's column; the string at the end comes last.
fn place(clause: &Clause) -> usize {
    match clause.tests.first().map(|test| test.place) {
        Some(Place::At(offset)) => offset,
        Some(Place::Tail) => usize::from(NO_OFFSET),
        // Nothing is ever kept.
        None => 0,
    }
}

/// Writes clauses, one after the other.
#[derive(Default)]
struct Writer {
    tests: Vec<Entry>,
    words: Vec<u64>,
}

impl Writer {
    /// Adds a clause; false, and nothing is added, if a program cannot evaluate it or has no
    /// room.
    fn add(&mut self, clause: &Clause) -> bool {
        let (tests, words) = (self.tests.len(), self.words.len());
        let added = match clause.tests.is_empty() {
            true => {
                self.tests.push(Entry::default());
                Some(())
            }
            false => clause.tests.iter().try_for_each(|test| self.test(test)),
        };
        if added.is_none() || self.tests.len() > TESTS || self.words.len() > WORDS {
            self.tests.truncate(tests);
            self.words.truncate(words);
            return false;
        }
        if let Some(last) = self.tests.last_mut() {
            last.flags |= LAST;
        }
        true
    }

    fn test(&mut self, test: &Test) -> Option<()> {
        let mut entry = match &test.probe {
            Probe::Range {
                width,
                signed,
                low,
                high,
            } => {
                let flip = if *signed { 1 << 63 } else { 0 };
                Entry {
                    probe: RANGE,
                    flags: if *signed { SIGNED } else { 0 },
                    low: low ^ flip,
                    high: high ^ flip,
                    ..Entry::of(*width)
                }
            }
            Probe::AnyBit { width, mask } => Entry {
                probe: ANY_BIT,
                low: *mask,
                ..Entry::of(*width)
            },
            Probe::Begins { bytes, bits } => self.bytes(bytes, *bits)?,
            Probe::Tail { bytes, whole } => Entry {
                flags: if *whole { TAIL | WHOLE } else { TAIL },
                ..self.bytes(bytes, 8 * bytes.len())?
            },
            Probe::Hidden => Entry {
                probe: NEVER,
                ..Entry::default()
            },
            Probe::BitField { .. } | Probe::Float { .. } => return None,
        };
        entry.offset = match test.place {
            Place::At(offset) => {
                let size = usize::from(entry.length.max(entry.width.into()));
                // A value never reaches beyond the row.
                u16::try_from(offset)
                    .ok()
                    .filter(|_| offset + size <= ROW)?
            }
            Place::Tail => NO_OFFSET,
        };
        if test.negated {
            entry.flags |= NEGATED;
        }
        self.tests.push(entry);
        Some(())
    }

    /// A test for bytes of which the first `bits` bits count.
    fn bytes(&mut self, bytes: &[u8], bits: usize) -> Option<Entry> {
        let length = bits.div_ceil(8);
        let bytes = &bytes[..length];
        let rest = 8 * length - bits;
        let mut mask = [0xff; size_of::<u64>()];
        if let Some(last) = length.checked_sub(1) {
            mask[last % 8] = 0xff << rest;
        }
        let mask = u64::from_ne_bytes(mask);
        let first = u8::try_from(self.words.len()).ok()?;
        for chunk in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            word[..chunk.len()].copy_from_slice(chunk);
            self.words.push(u64::from_ne_bytes(word));
        }
        if let Some(last) = self.words[usize::from(first)..].last_mut() {
            *last &= mask;
        }
        Some(Entry {
            probe: BYTES,
            high: mask,
            length: u16::try_from(length).ok()?,
            first,
            ..Entry::default()
        })
    }

    fn encoded(&self) -> Encoded {
        let mut encoded = Encoded {
            tests: self.tests.len() as u32,
            unused: 0,
            test: [Entry::default(); TESTS],
            words: [0; WORDS],
            made: [0; MADE / 64],
        };
        encoded.test[..self.tests.len()].copy_from_slice(&self.tests);
        encoded.words[..self.words.len()].copy_from_slice(&self.words);
        encoded
    }
}

impl Entry {
    fn of(width: Width) -> Entry {
        Entry {
            width: width.bytes() as u8,
            ..Entry::default()
        }
    }
}
