//! One pass after another.

use super::*;
use crate::error::Failure;
use iterfs_mapping::Query;
use std::collections::BTreeSet;

const SOON: Duration = Duration::from_millis(10);
const LATE: Duration = Duration::from_secs(3600);

struct Repeating {
    opened: Opened,
    /// The passes that were opened after the first.
    opens: Arc<AtomicUsize>,
    account: Arc<Account>,
}

fn pass(acts: Vec<Act>, steps: &Arc<AtomicUsize>, terms: &str) -> Pass {
    let source = |acts: Vec<Act>| {
        Box::new(Fake {
            acts: acts.into(),
            steps: Arc::clone(steps),
        }) as Box<dyn Source>
    };
    let pass = Pass {
        schema: Some(schema()),
        source: source(acts),
        // A part without rows.
        rest: vec![source(Vec::new())],
        waits_for_processes: false,
        asked: None,
    };
    let query = Query::parse(terms.as_bytes()).unwrap();
    pass.answering(Some(&query)).unwrap()
}

/// Opens passes of which each consists of the same steps, until the open with that number,
/// which fails.
fn repeat(acts: Vec<Act>, format: Format, interval: Duration, failing: usize) -> Repeating {
    repeat_asking(acts, format, interval, failing, "n")
}

fn repeat_asking(
    acts: Vec<Act>,
    format: Format,
    interval: Duration,
    failing: usize,
    terms: &'static str,
) -> Repeating {
    let steps = Arc::new(AtomicUsize::new(0));
    let opens = Arc::new(AtomicUsize::new(0));
    let account = Account::unbounded();
    let scheduler = Scheduler::with(3, 8, 1).unwrap();
    let first = pass(acts.clone(), &steps, terms);
    let (own_steps, own_opens) = (Arc::clone(&steps), Arc::clone(&opens));
    let open = move || match own_opens.fetch_add(1, Ordering::SeqCst) + 1 {
        number if number == failing => Err(Failure::NotFound),
        _ => Ok(pass(acts.clone(), &own_steps, terms)),
    };
    let stream = Stream::repeating(
        first,
        format,
        Arc::default(),
        Arc::clone(&account),
        Arc::clone(&scheduler),
        Repeat {
            interval,
            open: Box::new(open),
        },
    );
    Repeating {
        opened: Opened {
            stream: stream.unwrap(),
            steps,
            scheduler,
        },
        opens,
        account,
    }
}

fn two_rows() -> Vec<Act> {
    vec![Act::Bytes(records(0..2))]
}

/// Waits until this holds.
fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "this never holds");
        std::thread::yield_now();
    }
}

#[test]
fn each_pass_has_its_time_and_the_header_comes_once() {
    for (format, header, row) in [
        (Format::Text, 1, 24),
        (Format::Csv, 1, 24),
        (Format::JsonLines, 0, 24),
    ] {
        let repeating = repeat(two_rows(), format, SOON, 4);
        let (all, errno) = repeating.opened.read_on(0, 1 << 17).unwrap_err();
        // The file ends with the error of the pass that could not be opened.
        assert_eq!(errno, 2);
        let all = String::from_utf8(all).unwrap();
        let lines: Vec<_> = all.lines().collect();
        assert_eq!(lines.len(), header + 8, "{all}");
        assert_eq!(
            all.matches("time ").count() + all.matches("time,").count(),
            header
        );
        let time = |line: &str| {
            let start = line.find("20").unwrap();
            let time = &line[start..start + row];
            humantime::parse_rfc3339(time).unwrap()
        };
        let times: Vec<_> = lines[header..].iter().map(|line| time(line)).collect();
        assert!(times.is_sorted());
        let distinct: BTreeSet<_> = times.iter().collect();
        assert_eq!(distinct.len(), 4, "{times:?}");
        for pass in times.chunks(2) {
            assert_eq!(pass[0], pass[1]);
        }
    }
}

#[test]
fn a_read_ends_where_its_pass_does() {
    let repeating = repeat(two_rows(), Format::JsonLines, SOON, 9);
    let first = repeating.opened.read(0, 1 << 17).unwrap();
    assert_eq!(first.iter().filter(|byte| **byte == b'\n').count(), 2);
    let second = repeating.opened.read(first.len() as u64, 1 << 17).unwrap();
    assert_eq!(second.len(), first.len());
    assert_eq!(repeating.opens.load(Ordering::SeqCst), 1);
}

#[test]
fn rows_are_selected_in_each_pass() {
    let repeating = repeat_asking(two_rows(), Format::JsonLines, SOON, 3, "n,top=1:n");
    let (all, _) = repeating.opened.read_on(0, 1 << 17).unwrap_err();
    let all = String::from_utf8(all).unwrap();
    let lines: Vec<_> = all.lines().collect();
    assert_eq!(lines.len(), 3, "{all}");
    assert!(lines.iter().all(|line| line.ends_with(r#""n":1}"#)));
}

#[test]
fn a_reader_that_falls_behind_finds_no_queue() {
    let repeating = repeat(two_rows(), Format::JsonLines, SOON, 99);
    let first = repeating.opened.read(0, 1 << 17).unwrap();
    let later = Instant::now() + 10 * SOON;
    until(|| Instant::now() > later);
    repeating.opened.settled();
    assert_eq!(repeating.opens.load(Ordering::SeqCst), 0);
    assert_eq!(repeating.opened.scheduler.timer().alarms(), 0);
    repeating.opened.read(first.len() as u64, 1 << 17).unwrap();
    assert_eq!(repeating.opens.load(Ordering::SeqCst), 1);
}

#[test]
fn a_reader_between_passes_keeps_no_thread_busy_and_nothing_remains_of_it() {
    let repeating = repeat(two_rows(), Format::Csv, LATE, 99);
    let first = repeating.opened.read(0, 1 << 17).unwrap();
    let waiting = repeating.opened.start_read(first.len() as u64, 1 << 17);
    let scheduler = Arc::clone(&repeating.opened.scheduler);
    until(|| scheduler.is_idle());
    assert_eq!(scheduler.timer().alarms(), 1);
    drop(repeating.opened.stream);
    assert!(waiting.recv().is_err());
    assert_eq!(scheduler.timer().alarms(), 0);
    assert_eq!(repeating.account.used(), 0);
    assert_eq!(Arc::strong_count(&repeating.opens), 1);
}

/// An answer whose caller gave up.
struct GivenUp;

impl Answer for GivenUp {
    fn is_abandoned(&self) -> bool {
        true
    }

    fn commit(&self) -> bool {
        false
    }

    fn send(self: Box<Self>, _: Result<&[u8]>) {}
}

#[test]
fn no_pass_begins_for_a_reader_that_gave_up() {
    let repeating = repeat(two_rows(), Format::JsonLines, 10 * SOON, 99);
    let first = repeating.opened.read(0, 1 << 17).unwrap();
    let stream = &repeating.opened.stream;
    stream.read(first.len() as u64, 1 << 17, Box::new(GivenUp));
    stream.abandoned();
    until(|| repeating.opened.scheduler.timer().alarms() == 0);
    repeating.opened.settled();
    assert_eq!(repeating.opens.load(Ordering::SeqCst), 0);
}

#[test]
fn a_pass_without_rows_is_followed_by_others() {
    let repeating = repeat(Vec::new(), Format::JsonLines, SOON, 3);
    let (all, errno) = repeating.opened.read_on(0, 1 << 17).unwrap_err();
    assert_eq!((all, errno), (Vec::new(), 2));
    assert_eq!(repeating.opens.load(Ordering::SeqCst), 3);
}

#[test]
fn a_pass_that_fails_ends_the_file() {
    let acts = vec![Act::Bytes(records(0..1)), Act::Fail(5)];
    let repeating = repeat(acts, Format::JsonLines, SOON, 99);
    let (all, errno) = repeating.opened.read_on(0, 1 << 17).unwrap_err();
    assert_eq!(errno, 5);
    assert!(all.ends_with(b"\"n\":0}\n"));
    assert_eq!(repeating.opens.load(Ordering::SeqCst), 0);
}

#[test]
fn who_polls_is_woken_when_bytes_are_there() {
    let repeating = repeat(two_rows(), Format::JsonLines, SOON, 99);
    let stream = &repeating.opened.stream;
    let mut read = 0;
    for _ in 0..3 {
        loop {
            let (say, woken) = channel();
            let wake: Wake = Box::new(move || say.send(()).unwrap());
            if stream.poll(Some(wake)) {
                break;
            }
            woken.recv_timeout(DEADLINE).expect("it is woken");
        }
        let bytes = repeating.opened.read(read, 1 << 17).unwrap();
        assert!(!bytes.is_empty());
        read += bytes.len() as u64;
        // To ask once more is not to wait.
        assert!(!stream.poll(None));
    }
    assert_eq!(repeating.opens.load(Ordering::SeqCst), 2);
}

#[test]
fn a_file_of_one_pass_is_always_ready() {
    let opened = open(Vec::new());
    assert!(opened.stream.poll(Some(Box::new(|| ()))));
}
