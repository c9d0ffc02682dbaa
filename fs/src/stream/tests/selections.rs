//! Passes of which a name asks for some rows.

use super::*;
use iterfs_mapping::Query;
use iterfs_mapping::query::Question;

/// Opens partitions under a name with these terms. Returns what counts the rows, too.
fn open_asking(partitions: Vec<Vec<Act>>, format: Format, terms: &str) -> (Opened, Arc<Counts>) {
    let steps = Arc::new(AtomicUsize::new(0));
    let mut sources = partitions.into_iter().map(|acts| {
        Box::new(Fake {
            acts: acts.into(),
            steps: Arc::clone(&steps),
        }) as Box<dyn Source>
    });
    let pass = Pass {
        schema: Some(schema()),
        source: sources.next().expect("a first partition"),
        rest: sources.collect(),
        waits_for_processes: false,
        asked: None,
    };
    let query = Query::parse(terms.as_bytes()).unwrap();
    assert!(Question::of(&query, &schema()).is_ok());
    let scheduler = Scheduler::with(3, 8, 1).unwrap();
    let counts = Arc::new(Counts::default());
    let stream = Stream::new(
        pass.answering(Some(&query)).unwrap(),
        format,
        Arc::clone(&counts),
        Account::unbounded(),
        Arc::clone(&scheduler),
    );
    let opened = Opened {
        stream,
        steps,
        scheduler,
    };
    (opened, counts)
}

/// The file that shows these numbers, as a pass over them alone would.
fn shown(numbers: &[u32], format: Format) -> Vec<u8> {
    let steps = numbers.chunks(8000).map(|numbers| {
        let records = numbers.iter().flat_map(|n| n.to_ne_bytes());
        Act::Bytes(records.collect())
    });
    let opened = open_partitions(vec![steps.collect()], format);
    opened.read_on(0, 1 << 17).unwrap()
}

#[test]
fn the_first_rows_are_a_file_of_their_own_in_every_format() {
    for format in Format::ALL {
        for (terms, expected) in [
            ("first=3", 0..3),
            ("n=90000..,first=20000", 90_000..110_000),
            ("first=10000000", 0..200_000),
            ("n=7000000..,first=5", 0..0),
        ] {
            let (partitions, _) = partitions_of(&[100_000, 0, 100_000]);
            let (opened, counts) = open_asking(partitions, format, terms);
            let expected: Vec<_> = expected.collect();
            let file = opened.read_on(0, 1 << 17).unwrap();
            assert!(file == shown(&expected, format), "{terms} {format:?}");
            assert_eq!(counts.counted().rows, expected.len() as u64);
        }
    }
}

#[test]
fn the_largest_values_are_a_file_of_their_own_in_every_format() {
    for format in Format::ALL {
        for (terms, expected) in [
            ("top=3:n", vec![199_999, 199_998, 199_997]),
            ("n=4..,top=2:-n", vec![4, 5]),
            ("top=10000:n", (190_000..200_000).rev().collect()),
            ("n=7000000..,top=9:n", vec![]),
        ] {
            let (partitions, _) = partitions_of(&[50_000, 0, 100_000, 50_000]);
            let (opened, counts) = open_asking(partitions, format, terms);
            let file = opened.read_on(0, 1 << 17).unwrap();
            assert!(file == shown(&expected, format), "{terms} {format:?}");
            assert_eq!(counts.counted().rows, expected.len() as u64);
        }
    }
}

#[test]
fn a_table_of_one_step_takes_one_read() {
    for terms in ["first=2", "top=2:n", "first=100", "top=100:n"] {
        let pass = vec![vec![Act::Bytes(records(0..10))]];
        let (opened, _) = open_asking(pass, Format::Json, terms);
        let all = opened.read(0, 1 << 17).unwrap();
        assert!(all.ends_with(b"\n]\n"), "{terms}");
        assert!(opened.read(all.len() as u64, 1 << 17).unwrap().is_empty());
    }
}

#[test]
fn the_first_row_ends_a_pass_that_would_fail_later() {
    let acts = vec![Act::Bytes(records(0..3000)), Act::Fail(5)];
    let (opened, _) = open_asking(vec![acts.clone()], Format::JsonLines, "first=5");
    assert_eq!(opened.read_on(0, 4096).unwrap(), file(0..5));
    let (opened, _) = open_asking(vec![acts], Format::JsonLines, "top=5:n");
    assert_eq!(opened.read_on(0, 4096), Err((Vec::new(), 5)));
}

#[test]
fn the_header_comes_while_no_row_is_selected() {
    let (opened, _) = open_asking(vec![vec![Act::Nothing; 1000]], Format::Csv, "top=5:n");
    assert_eq!(opened.read(0, 1 << 17).unwrap(), b"n\r\n");
    assert!(opened.read_on(3, 1 << 17).unwrap().is_empty());
}
