//! Tests of the whole way from a name to the rows that it keeps.

mod grammar;
mod values;

use super::*;
use crate::row::{Column, Kind, Names, Record, Schema, Unit, Width};

fn column(name: &str, offset: usize, kind: Kind, absent: Option<u64>) -> Column {
    Column {
        absent,
        ..Column::new(name, offset, kind)
    }
}

fn schema() -> Schema {
    let states = Names::new(vec![(0, "idle".into()), (1, "LISTEN".into())]);
    let mut columns = vec![
        column("pid", 0, Kind::Unsigned(Width::Four, Unit::None), Some(9)),
        column("state", 4, Kind::Name(Width::One, states), None),
        column("comm", 5, Kind::Text(4), None),
        column("size", 9, Kind::Unsigned(Width::Eight, Unit::Bytes), None),
        column("local", 17, Kind::Inet, None),
    ];
    columns[3].on_request = true;
    Schema {
        row: "a row".into(),
        fixed_size: 34,
        tail_length: None,
        columns,
    }
}

fn record(pid: u32, state: u8, comm: &[u8; 4], size: u64, local: [u8; 4]) -> Vec<u8> {
    let mut bytes = pid.to_ne_bytes().to_vec();
    bytes.push(state);
    bytes.extend(comm);
    bytes.extend(size.to_ne_bytes());
    bytes.push(4);
    bytes.extend(local);
    bytes.resize(34, 0);
    bytes
}

fn asked(terms: &str) -> Result<Question, Fault> {
    Question::of(&Query::parse(terms.as_bytes())?, &schema())
}

/// Whether a name keeps each of three rows.
fn kept(terms: &str) -> [bool; 3] {
    let question = asked(terms).unwrap();
    [
        record(1, 0, b"a\0\0\0", 0, [10, 0, 0, 1]),
        record(2, 1, b"abcd", 4096, [10, 1, 0, 1]),
        record(9, 7, b"\0\0\0\0", 1 << 40, [127, 0, 0, 1]),
    ]
    .map(|bytes| {
        let mut records = crate::row::Records::new(&question.schema, &bytes);
        let record: Record<'_> = records.next().unwrap();
        question.filter.keeps(record)
    })
}

#[test]
fn conditions_keep_rows() {
    for (terms, rows) in [
        ("pid=1", [true, false, false]),
        ("pid!=1", [false, true, true]),
        ("pid=", [false, false, true]),
        ("pid!=", [true, true, false]),
        ("pid=1..2", [true, true, false]),
        ("pid=2..", [false, true, false]),
        ("pid=1,pid=2", [true, true, false]),
        ("pid!=1,pid!=2", [false, false, true]),
        ("pid=1..2,pid!=1", [false, true, false]),
        ("state=idle", [true, false, false]),
        ("state=listen", [false, true, false]),
        ("state=7", [false, false, true]),
        ("comm=a", [true, false, false]),
        ("comm=a*", [true, true, false]),
        ("comm=abcd", [false, true, false]),
        ("comm=*", [true, true, false]),
        ("comm=", [false, false, true]),
        ("size=4K", [false, true, false]),
        ("size=1K..", [false, true, true]),
        ("size=..1G", [true, true, false]),
        ("local=10.0.0.0%2F8", [true, true, false]),
        ("local=10.0.0.1", [true, false, false]),
        ("local!=10.0.0.0%2F15", [false, false, true]),
        ("pid=1,state=LISTEN", [false, false, false]),
    ] {
        assert_eq!(kept(terms), rows, "{terms}");
    }
}

#[test]
fn columns_are_shown_as_asked() {
    let shown = |terms: &str| {
        let schema = asked(terms).unwrap().schema;
        let names = schema.columns.iter().map(|column| column.name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown("pid=1"), "pid state comm local");
    assert_eq!(shown("comm,pid"), "comm pid");
    assert_eq!(shown("+size"), "pid state comm local size");
    assert_eq!(shown("comm,+size"), "comm size");
    assert_eq!(shown("+pid"), "pid state comm local");
}

#[test]
fn a_fault_points_at_its_term() {
    let fault = |terms: &str| asked(terms).unwrap_err().to_string();
    assert_eq!(
        fault("pid=1,stat=LISTEN"),
        "'stat=LISTEN': the table has no column stat; did you mean state?"
    );
    assert_eq!(
        fault("state=LISTN"),
        "'state=LISTN': state is one of idle, LISTEN; it is never LISTN; did you mean LISTEN?"
    );
    assert!(fault("local=1..2").contains("block"));
    assert!(fault("comm=abcde").contains("at most 4 bytes"));
    assert!(fault("pid=2..1").contains("range is empty"));
    assert!(fault("pid=%0").contains("percent"));
    assert!(fault("first=0").contains("from 1"));
}

#[test]
fn one_process_narrows_the_walk() {
    let process = |terms: &str| asked(terms).unwrap().process;
    assert_eq!(process("pid=7"), Some(7));
    assert_eq!(process("pid=7,pid=8"), None);
    assert_eq!(process("pid!=7"), None);
    assert_eq!(process("pid=7..7"), None);
}
