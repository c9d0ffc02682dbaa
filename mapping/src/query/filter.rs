//! Conditions as tests of a record's bytes.
//!
//! A condition is data, not code: a program in the kernel evaluates the tests in a loop, and
//! so one loaded program answers every question.

use crate::row::{Bits, Record, Width};

/// The conditions of a question. A row is kept if every clause holds; without clauses, every
/// row is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// The clauses.
    pub clauses: Vec<Clause>,
}

/// Tests of one column. A clause holds if any of its tests does.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// The column's name.
    pub column: Box<str>,
    /// Whether the column costs something to make: the string at the end of the row, and
    /// columns on request. A program looks at the other clauses first.
    pub costs: bool,
    /// The tests.
    pub tests: Vec<Test>,
}

/// One test of a value's bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Where the value is.
    pub place: Place,
    /// What is looked for.
    pub probe: Probe,
    /// Whether the test holds where the probe does not.
    pub negated: bool,
}

/// Where a value is in a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// At this offset in the fixed part, in bytes.
    At(usize),
    /// The string at the end.
    Tail,
}

/// What a test looks for in a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// An integer between two bounds, both included.
    Range {
        /// The width of the integer.
        width: Width,
        /// Whether the integer and the bounds are signed; then the bounds are the bits of
        /// signed integers.
        signed: bool,
        /// The lower bound.
        low: u64,
        /// The upper bound.
        high: u64,
    },
    /// An integer that shares a bit with the mask.
    AnyBit {
        /// The width of the integer.
        width: Width,
        /// The mask.
        mask: u64,
    },
    /// Bytes that begin with these bits: `bits` of them, from the highest bit of the first byte
    /// on. The fixed part has as many at the place of the value.
    Begins {
        /// The bytes.
        bytes: Box<[u8]>,
        /// The number of bits that count.
        bits: usize,
    },
    /// The string at the end begins with these bytes, or is these bytes.
    Tail {
        /// The bytes.
        bytes: Box<[u8]>,
        /// Whether nothing follows them.
        whole: bool,
    },
    /// A bit field between two bounds, both included and as wide as 64 bits. Only the daemon
    /// looks for it.
    BitField {
        /// The position of the field in its bytes.
        field: Bits,
        /// Whether the field and the bounds are signed.
        signed: bool,
        /// The lower bound.
        low: u64,
        /// The upper bound.
        high: u64,
    },
    /// A floating-point number between two bounds, both included. Only the daemon looks for it.
    Float {
        /// The width of the number.
        width: Width,
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// Nothing: the value is hidden from the reader. The test fails, negated or not.
    Hidden,
}

impl Filter {
    /// Whether a record is kept. Allocates nothing.
    #[inline]
    pub fn keeps(&self, record: Record<'_>) -> bool {
        self.clauses.iter().all(|clause| clause.holds(record))
    }

    /// Whether every record is kept.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }
}

impl Clause {
    fn holds(&self, record: Record<'_>) -> bool {
        self.tests.iter().any(|test| test.holds(record))
    }
}

impl Test {
    /// The same test, which holds where this one does not.
    pub(super) fn negated(self) -> Test {
        Test {
            negated: !self.negated,
            ..self
        }
    }

    fn holds(&self, record: Record<'_>) -> bool {
        let (fixed, tail) = (record.fixed(), record.tail());
        let at = match self.place {
            Place::At(offset) => offset,
            Place::Tail => 0,
        };
        let found = match &self.probe {
            Probe::Range {
                width,
                signed,
                low,
                high,
            } => match signed {
                true => is_between(
                    width.signed(fixed, at),
                    low.cast_signed(),
                    high.cast_signed(),
                ),
                false => is_between(width.unsigned(fixed, at), *low, *high),
            },
            Probe::AnyBit { width, mask } => width.unsigned(fixed, at) & mask != 0,
            Probe::Begins { bytes, bits } => begins(&fixed[at..], bytes, *bits),
            Probe::Tail { bytes, whole } => {
                tail.starts_with(bytes) && (!whole || tail.len() == bytes.len())
            }
            Probe::BitField {
                field,
                signed,
                low,
                high,
            } => {
                let bytes = &fixed[at..at + field.bytes()];
                match signed {
                    true => is_between(field.signed(bytes), low.cast_signed(), high.cast_signed()),
                    false => is_between(field.unsigned(bytes), *low, *high),
                }
            }
            Probe::Float { width, low, high } => is_between(width.float(fixed, at), *low, *high),
            Probe::Hidden => return false,
        };
        found != self.negated
    }
}

fn is_between<T: PartialOrd>(value: T, low: T, high: T) -> bool {
    low <= value && value <= high
}

/// Whether `value` begins with the first bits of `bytes`.
fn begins(value: &[u8], bytes: &[u8], bits: usize) -> bool {
    let (whole, rest) = (bits / 8, bits % 8);
    if value[..whole] != bytes[..whole] {
        return false;
    }
    let mask = 0xff_u8 << ((8 - rest) % 8);
    rest == 0 || (value[whole] ^ bytes[whole]) & mask == 0
}
