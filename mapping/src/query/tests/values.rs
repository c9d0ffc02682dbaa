//! Conditions compared with the values that a record shows, for every kind of column.

use super::super::*;
use super::column;
use crate::row::{Bits, Column, Kind, Names, Record, Records, Schema, Unit, Value, Width};
use proptest::prelude::*;

const FIXED: usize = 128;

/// One column of each kind and width, with and without a value that means absent.
fn schema() -> Schema {
    let names = || {
        Names::new(vec![
            (0, "none".into()),
            (1, "some".into()),
            (2, "SOME_MORE".into()),
            (200, "far".into()),
        ])
    };
    let bits = |start, count| Bits::new(start, count).unwrap();
    let widths = [Width::One, Width::Two, Width::Four, Width::Eight];
    let mut kinds = vec![
        (Kind::Bool, None),
        (Kind::Bool, Some(0xff)),
        (Kind::Device, Some(0)),
        (Kind::Bytes(8), Some(0)),
        (Kind::Bytes(3), None),
        (Kind::Text(6), None),
        (Kind::Ipv6, Some(0)),
        (Kind::Inet, None),
        (Kind::Float(Width::Four), None),
        (Kind::Float(Width::Eight), None),
        (Kind::Pointer { shown: true }, None),
        (Kind::Unsigned(Width::Eight, Unit::Bytes), None),
        (Kind::Unsigned(Width::Four, Unit::Pages(12)), Some(7)),
        (Kind::Unsigned(Width::Eight, Unit::Nanoseconds), None),
    ];
    for width in widths {
        let most = u64::MAX >> (64 - 8 * width.bytes());
        for absent in [None, Some(0), Some(1), Some(most)] {
            kinds.push((Kind::Unsigned(width, Unit::None), absent));
            kinds.push((Kind::Signed(width), absent));
            kinds.push((Kind::Hex(width), absent));
            kinds.push((Kind::Name(width, names()), absent));
            kinds.push((Kind::Flags(width, names()), absent));
        }
    }
    for field in [bits(0, 1), bits(3, 7), bits(7, 64)] {
        let shown = [
            Kind::Unsigned(Width::Eight, Unit::None),
            Kind::Signed(Width::Eight),
            Kind::Bool,
        ];
        kinds.extend(shown.map(|shown| (Kind::Bits(field, shown.into()), None)));
    }
    let columns = kinds
        .into_iter()
        .enumerate()
        .map(|(index, (kind, absent))| {
            let room = FIXED - 2 - kind.size();
            column(&format!("c{index}"), index % room, kind, absent)
        });
    let mut columns: Vec<_> = columns.collect();
    columns.push(column("tail", FIXED, Kind::Tail, None));
    Schema {
        row: "a row".into(),
        fixed_size: FIXED,
        tail_length: Some(FIXED - 2),
        columns,
    }
}

/// The bytes that a condition names to match a value; none for no value.
fn written(value: Value<'_>) -> Vec<Written> {
    let exactly = |text: String| vec![Written::Exactly(text.into_bytes().into())];
    match value {
        Value::Absent => vec![Written::Absent],
        Value::Unsigned(number) => exactly(number.to_string()),
        Value::Signed(number) => exactly(number.to_string()),
        Value::Bool(yes) => exactly(yes.to_string()),
        Value::Float(number) if number.is_nan() => Vec::new(),
        Value::Float(number) => exactly(format!("{number:?}")),
        Value::ShortFloat(number) if number.is_nan() => Vec::new(),
        Value::ShortFloat(number) => exactly(format!("{:?}", f64::from(number))),
        Value::Hex(number) => exactly(format!("{number:#x}")),
        Value::Bytes(bytes) => exactly(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        Value::Device(major, minor) => exactly(format!("{major}:{minor}")),
        Value::Name(name) => exactly(name.into()),
        Value::Nameless(number) => exactly(number.to_string()),
        Value::Flags(flags) if flags.is_empty() => vec![Written::Absent],
        Value::Flags(flags) => flags
            .names()
            .map(|name| Written::Exactly(name.as_bytes().into()))
            .collect(),
        Value::Text(text) => vec![Written::Exactly(text.into())],
        Value::Ip(address) => exactly(address.to_string()),
    }
}

fn question(schema: &Schema, column: &Column, value: Written, negated: bool) -> Question {
    let query = Query {
        conditions: vec![Condition {
            column: column.name.as_str().into(),
            negated,
            value,
        }],
        ..Query::default()
    };
    Question::of(&query, schema).unwrap_or_else(|fault| panic!("{fault}"))
}

/// Bytes that are often those of an edge.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => any::<u8>(), 3 => Just(0), 1 => Just(0xff), 1 => 1u8..8];
    proptest::collection::vec(byte, FIXED)
}

proptest! {
    // Each case tries every kind of column.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_condition_agrees_with_the_value_that_is_shown(
        mut fixed in bytes(),
        other in bytes(),
        tail in proptest::collection::vec(1u8.., 0..9),
    ) {
        let schema = schema();
        fixed[FIXED - 2..].copy_from_slice(&(tail.len() as u16).to_ne_bytes());
        let record = [&fixed[..], &tail].concat();
        let record = Records::new(&schema, &record).next().unwrap();
        let mut other = other;
        other[FIXED - 2..].copy_from_slice(&0u16.to_ne_bytes());
        let other = Records::new(&schema, &other).next().unwrap();
        for column in &schema.columns {
            let value = column.value(record);
            for condition in written(value) {
                let kept = |record: Record<'_>, negated| {
                    question(&schema, column, condition.clone(), negated).filter.keeps(record)
                };
                prop_assert!(kept(record, false), "{column:?} {value:?} {condition:?}");
                prop_assert!(!kept(record, true), "{column:?} {value:?} {condition:?}");
                // Exactly one of the two holds for another record.
                prop_assert_ne!(kept(other, false), kept(other, true), "{:?}", column);
                let same = written(column.value(other)).contains(&condition);
                let is_set = matches!(value, Value::Flags(_));
                prop_assert!(same == kept(other, false) || is_set, "{column:?} {condition:?}");
            }
        }
    }

    #[test]
    fn a_range_agrees_with_the_numbers_that_are_shown(fixed in bytes(), low in any::<i64>(), high in any::<i64>(), small in any::<bool>()) {
        let schema = schema();
        let mut fixed = fixed;
        fixed[FIXED - 2..].copy_from_slice(&0u16.to_ne_bytes());
        let record = Records::new(&schema, &fixed).next().unwrap();
        let shift = if small { 56 } else { 0 };
        let (low, high) = ((low >> shift).min(high >> shift), (low >> shift).max(high >> shift));
        for column in &schema.columns {
            let number = match column.value(record) {
                Value::Unsigned(number) | Value::Hex(number) => i128::from(number),
                Value::Signed(number) => i128::from(number),
                _ => continue,
            };
            let ends = |low: String, high: String| {
                Written::Between(low.into_bytes().into(), high.into_bytes().into())
            };
            let keeps = |value: Written| question(&schema, column, value, false).filter.keeps(record);
            let durations = matches!(column.kind, Kind::Unsigned(_, Unit::Nanoseconds));
            if low < 0 && durations {
                continue;
            }
            let within = (i128::from(low)..=i128::from(high)).contains(&number);
            prop_assert_eq!(keeps(ends(low.to_string(), high.to_string())), within, "{:?}", column);
            prop_assert_eq!(keeps(ends(low.to_string(), String::new())), number >= low.into());
            prop_assert_eq!(keeps(ends(String::new(), high.to_string())), number <= high.into());
            prop_assert!(keeps(ends(String::new(), String::new())));
        }
    }
}

#[test]
fn nothing_is_said_of_a_value_that_the_reader_may_not_see() {
    let mut schema = schema();
    schema.hide_addresses();
    let column = schema
        .columns
        .iter()
        .find(|column| matches!(column.kind, Kind::Pointer { .. }))
        .unwrap();
    let bytes = [0; FIXED];
    let record = Records::new(&schema, &bytes).next().unwrap();
    for value in [Written::Absent, Written::Exactly((*b"0").into())] {
        for negated in [false, true] {
            let question = question(&schema, column, value.clone(), negated);
            assert!(!question.filter.keeps(record), "{value:?} {negated}");
        }
    }
}
