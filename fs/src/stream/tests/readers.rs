//! Readers that begin, stop, give up or go away.

use super::*;
use std::sync::atomic::AtomicBool;

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
    // It continues when it is read again.
    assert_eq!(opened.read_on(0, 1 << 17).unwrap(), file(0..2_000_000));
}

#[test]
fn a_reader_that_goes_away_ends_the_pass() {
    let opened = open(long_pass(2_000_000));
    opened.read(0, 1).unwrap();
    let shared = Arc::downgrade(&opened.stream.shared);
    drop(opened);
    let deadline = Instant::now() + DEADLINE;
    while shared.upgrade().is_some() {
        assert!(Instant::now() < deadline, "the pass goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The answer to a read that its caller can give up.
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
    // Steps without rows, and then rows.
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
