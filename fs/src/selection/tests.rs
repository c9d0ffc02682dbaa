//! Selections over fake sources, compared with selecting from all rows afterwards.

use super::*;
use crate::access::memory::Memory;
use iterfs_mapping::contract::Progress;
use iterfs_mapping::row::{Column, Kind, Records, Schema, Unit, Value, Width};
use iterfs_mapping::{Query, Result};
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The value that means absent.
const ABSENT: u32 = 7;

/// A number and a text.
fn schema() -> Schema {
    let column = |name: &str, offset, kind, absent| Column {
        absent,
        ..Column::new(name, offset, kind)
    };
    let number = Kind::Unsigned(Width::Four, Unit::None);
    Schema {
        row: "a pair".into(),
        fixed_size: 6,
        tail_length: Some(4),
        columns: vec![
            column("n", 0, number, Some(u64::from(ABSENT))),
            column("text", 6, Kind::Tail, None),
        ],
    }
}

type Rows = Vec<(u32, Vec<u8>)>;

fn encoded(rows: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let record = |(number, text): &(u32, Vec<u8>)| {
        let length = (text.len() as u16).to_ne_bytes();
        [&number.to_ne_bytes()[..], &length, text].concat()
    };
    rows.iter().flat_map(record).collect()
}

fn decoded(bytes: &[u8]) -> Rows {
    let schema = schema();
    let mut records = Records::new(&schema, bytes);
    let rows = (&mut records).map(|record| {
        let number = record.fixed()[..4].try_into().unwrap();
        (u32::from_ne_bytes(number), record.tail().to_vec())
    });
    let rows = rows.collect();
    assert!(records.rest().is_empty(), "a row is torn");
    rows
}

/// Yields bytes in pieces of this size, and nothing before each; counts itself while it lives.
struct Fake {
    bytes: Vec<u8>,
    piece: usize,
    rests: bool,
    open: Arc<AtomicUsize>,
    read: Arc<AtomicUsize>,
}

impl Source for Fake {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        self.rests = !self.rests;
        let size = self.piece.min(self.bytes.len()).min(buffer.len());
        if self.rests {
            return Ok(Progress::Nothing);
        }
        if size == 0 {
            return Ok(Progress::End);
        }
        buffer[..size].copy_from_slice(&self.bytes[..size]);
        self.bytes.drain(..size);
        self.read.fetch_add(size, Ordering::Relaxed);
        Ok(Progress::Bytes(size))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Observed {
    open: Arc<AtomicUsize>,
    read: Arc<AtomicUsize>,
}

/// A pass in these parts that answers a query, and what is known of its sources.
fn pass(parts: &[Rows], piece: usize, terms: &str) -> (Pass, Observed) {
    let observed = Observed::default();
    observed.open.store(parts.len(), Ordering::Relaxed);
    let mut sources = parts.iter().map(|rows| {
        Box::new(Fake {
            bytes: encoded(rows),
            piece,
            rests: false,
            open: Arc::clone(&observed.open),
            read: Arc::clone(&observed.read),
        }) as Box<dyn Source>
    });
    let pass = Pass {
        schema: Some(Arc::new(schema())),
        source: sources.next().unwrap(),
        rest: sources.collect(),
        waits_for_processes: false,
        asked: None,
    };
    let query = Query::parse(terms.as_bytes()).unwrap();
    (pass.answering(Some(&query)).unwrap(), observed)
}

/// Reads all parts of a pass, a step of each in turn as `order` says. Parts are shown in order.
fn read(pass: Pass, room: usize, order: &[usize]) -> Result<Rows> {
    let mut parts = pass.rest;
    parts.insert(0, pass.source);
    let mut parts: Vec<_> = parts.into_iter().map(|part| (part, Vec::new())).collect();
    let mut left: Vec<_> = (0..parts.len()).collect();
    let mut buffer = vec![0; room];
    for turn in order.iter().cycle() {
        let at = turn % left.len();
        let (source, bytes) = &mut parts[left[at]];
        match source.read(&mut buffer)? {
            Progress::Bytes(count) => bytes.extend_from_slice(&buffer[..count]),
            Progress::Nothing => {}
            Progress::End => {
                left.remove(at);
            }
        }
        if left.is_empty() {
            break;
        }
    }
    let bytes: Vec<_> = parts.into_iter().flat_map(|(_, bytes)| bytes).collect();
    Ok(decoded(&bytes))
}

fn selected(parts: &[Rows], piece: usize, terms: &str, room: usize, order: &[usize]) -> Rows {
    let (pass, observed) = pass(parts, piece, terms);
    let rows = read(select(pass, &Account::unbounded()), room, order).unwrap();
    assert_eq!(observed.open.load(Ordering::Relaxed), 0);
    rows
}

fn parts() -> impl Strategy<Value = Vec<Rows>> {
    let text = proptest::collection::vec(1u8.., 0..40);
    let rows = proptest::collection::vec((0..20u32, text), 0..40);
    proptest::collection::vec(rows, 1..5)
}

proptest! {
    #[test]
    fn the_first_rows_that_the_conditions_keep(
        parts in parts(), count in 1..60_usize, piece in 1..200_usize, room in 1..300_usize,
        order in proptest::collection::vec(0..5_usize, 1..10),
    ) {
        let shown = selected(&parts, piece, &format!("n=3..12,first={count}"), room, &order);
        let all = parts.into_iter().flatten();
        // An absent value is in no range.
        let kept = all.filter(|(number, _)| (3..=12).contains(number) && *number != ABSENT);
        prop_assert_eq!(shown, kept.take(count).collect::<Vec<_>>());
    }

    #[test]
    fn the_rows_with_the_largest_or_smallest_values(
        parts in parts(), count in 1..60_usize, smallest: bool, piece in 1..200_usize,
        room in 1..300_usize, order in proptest::collection::vec(0..5_usize, 1..10),
    ) {
        let sign = if smallest { "-" } else { "" };
        let terms = format!("n!=5,top={count}:{sign}n");
        let shown = selected(&parts, piece, &terms, room, &order);
        let all = parts.into_iter().flatten();
        let mut kept: Vec<_> = all.filter(|(number, _)| *number != 5).collect();
        // Stable: ties stay in the order of the walk.
        kept.sort_by_key(|(number, _)| {
            let number = i64::from(*number);
            let is_absent = number == i64::from(ABSENT);
            (is_absent, if smallest { number } else { -number })
        });
        kept.truncate(count);
        prop_assert_eq!(shown, kept);
    }
}

/// Rows with this many numbers from 0 on.
fn numbers(count: u32) -> Rows {
    (0..count).map(|number| (number, vec![b'x'; 10])).collect()
}

#[test]
fn nothing_more_is_walked_and_iterators_are_closed_at_the_last_row() {
    let parts = [numbers(100_000), numbers(10)];
    let (pass, observed) = pass(&parts, 4096, "first=3");
    let mut selected = select(pass, &Account::unbounded());
    assert!(selected.rest.is_empty());
    let mut buffer = vec![0; 32 * 1024];
    while selected.source.read(&mut buffer).unwrap() == Progress::Nothing {}
    assert_eq!(observed.open.load(Ordering::Relaxed), 0);
    assert_eq!(observed.read.load(Ordering::Relaxed), 4096);
    assert_eq!(selected.source.read(&mut buffer).unwrap(), Progress::End);
}

#[test]
fn a_record_without_an_end_is_passed_on_as_it_is() {
    for terms in ["first=9", "top=9:n"] {
        let (mut pass, _) = pass(&[numbers(2), numbers(0)], 4096, terms);
        let mut bytes = encoded(&numbers(2));
        bytes.truncate(bytes.len() - 1);
        pass.source = Box::new(Fake {
            bytes,
            piece: 4096,
            rests: false,
            open: Arc::new(AtomicUsize::new(1)),
            read: Arc::default(),
        });
        let selected = select(pass, &Account::unbounded());
        let (mut buffer, mut all) = (vec![0; 4096], Vec::new());
        for mut source in std::iter::once(selected.source).chain(selected.rest) {
            loop {
                match source.read(&mut buffer).unwrap() {
                    Progress::Bytes(count) => all.extend_from_slice(&buffer[..count]),
                    Progress::Nothing => {}
                    Progress::End => break,
                }
            }
        }
        let mut expected = encoded(&numbers(2));
        expected.pop();
        assert_eq!(all, expected, "{terms}");
    }
}

#[test]
fn a_pass_without_a_selection_is_left_alone() {
    let (pass, _) = pass(&[numbers(2), numbers(2)], 4096, "n=1");
    let pass = select(pass, &Account::unbounded());
    assert_eq!(pass.rest.len(), 1);
    assert!(!pass.asked.unwrap().in_daemon.is_empty());
}

#[test]
fn rows_are_charged_while_they_are_held_and_refused_past_the_quota() {
    let account = Account::unbounded();
    let (pass, _) = pass(&[numbers(50_000)], 8192, "top=10000:n");
    let mut selected = select(pass, &account);
    let mut buffer = vec![0; 32 * 1024];
    while selected.source.read(&mut buffer).unwrap() == Progress::Nothing {}
    let least = 10_000 * (size_of::<u128>() + 16);
    assert!(account.used() >= least as u64, "{} bytes", account.used());
    drop(selected);
    assert_eq!(account.used(), 0);

    let little = Account::with_memory(Memory::new(1024 * 1024));
    let (pass, _) = self::pass(&[numbers(50_000)], 8192, "top=10000:n");
    let refused = read(select(pass, &little), 32 * 1024, &[0]);
    assert!(matches!(refused, Err(iterfs_mapping::Error::TooManyRows)));
    assert_eq!(little.used(), 0);
}

/// The numbers of a column of this kind, as `top` orders them.
fn ordered(kind: Kind, absent: Option<u64>, values: &[&[u8]], terms: &str) -> Vec<String> {
    let size = kind.size();
    let schema = Arc::new(Schema {
        row: "a value".into(),
        fixed_size: size,
        tail_length: None,
        columns: vec![Column {
            absent,
            ..Column::new("n", 0, kind)
        }],
    });
    let pass = Pass {
        schema: Some(Arc::clone(&schema)),
        source: Box::new(Fake {
            bytes: values.concat(),
            piece: 4096,
            rests: false,
            open: Arc::new(AtomicUsize::new(1)),
            read: Arc::default(),
        }),
        rest: Vec::new(),
        waits_for_processes: false,
        asked: None,
    };
    let query = Query::parse(terms.as_bytes()).unwrap();
    let mut selected = select(pass.answering(Some(&query)).unwrap(), &Account::unbounded());
    let (mut buffer, mut all) = (vec![0; 4096], Vec::new());
    loop {
        match selected.source.read(&mut buffer).unwrap() {
            Progress::Bytes(count) => all.extend_from_slice(&buffer[..count]),
            Progress::Nothing => {}
            Progress::End => break,
        }
    }
    Records::new(&schema, &all)
        .map(|record| match schema.columns[0].value(record) {
            Value::Absent => "-".into(),
            Value::Unsigned(number) => number.to_string(),
            Value::Signed(number) => number.to_string(),
            Value::Hex(number) => format!("{number:#x}"),
            Value::Float(number) => format!("{number:?}"),
            Value::ShortFloat(number) => format!("{number:?}"),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn every_kind_of_number_is_ordered_as_it_is_shown() {
    let shorts = |numbers: &[i16]| numbers.iter().map(|n| n.to_ne_bytes()).collect::<Vec<_>>();
    let shorts = shorts(&[3, -1, 0, 7, -32768, 32767]);
    let shorts: Vec<&[u8]> = shorts.iter().map(|bytes| &bytes[..]).collect();
    let two = Width::Two;
    let pages = Kind::Unsigned(two, Unit::Pages(12));
    for (kind, largest, smallest) in [
        (Kind::Signed(two), "32767 3 0", "-32768 -1 0"),
        (
            Kind::Unsigned(two, Unit::None),
            "65535 32768 32767",
            "0 3 32767",
        ),
        (pages, "268431360 134217728 134213632", "0 12288 134213632"),
        (Kind::Hex(two), "0xffff 0x8000 0x7fff", "0x0 0x3 0x7fff"),
    ] {
        let shown = |terms| ordered(kind.clone(), Some(7), &shorts, terms).join(" ");
        assert_eq!(shown("top=3:n"), largest, "{kind:?}");
        assert_eq!(shown("top=3:-n"), smallest, "{kind:?}");
        // An absent value comes last, whichever values are wanted.
        assert!(shown("top=9:n").ends_with(" -"), "{kind:?}");
        assert!(shown("top=9:-n").ends_with(" -"), "{kind:?}");
    }
    let field = iterfs_mapping::row::Bits::new(1, 4).unwrap();
    let bytes: [&[u8]; 4] = [&[0b00010], &[0b11110], &[0b01110], &[0b10000]];
    let signed = Kind::Bits(field, Box::new(Kind::Signed(Width::One)));
    assert_eq!(
        ordered(signed, None, &bytes, "top=4:n").join(" "),
        "7 1 -1 -8"
    );
    let unsigned = Kind::Bits(field, Box::new(Kind::Unsigned(Width::One, Unit::None)));
    assert_eq!(
        ordered(unsigned, None, &bytes, "top=4:-n").join(" "),
        "1 7 8 15"
    );
}

#[test]
fn a_floating_point_number_that_is_none_comes_last() {
    let doubles = [
        1.5,
        f64::NAN,
        -2.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        0.0,
    ];
    let doubles: Vec<_> = doubles.iter().map(|n| n.to_ne_bytes()).collect();
    let doubles: Vec<&[u8]> = doubles.iter().map(|bytes| &bytes[..]).collect();
    let shown = |terms| ordered(Kind::Float(Width::Eight), None, &doubles, terms).join(" ");
    assert_eq!(shown("top=9:n"), "inf 1.5 -0.0 0.0 -2.0 -inf NaN");
    assert_eq!(shown("top=9:-n"), "-inf -2.0 -0.0 0.0 1.5 inf NaN");
    let floats = [1.5f32, f32::NAN, -2.0].map(f32::to_ne_bytes);
    let floats: Vec<&[u8]> = floats.iter().map(|bytes| &bytes[..]).collect();
    let shown = ordered(Kind::Float(Width::Four), None, &floats, "top=2:-n");
    assert_eq!(shown.join(" "), "-2.0 1.5");
}
