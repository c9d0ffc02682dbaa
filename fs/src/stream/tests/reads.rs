//! The bytes that reads get.

use super::*;
use std::sync::atomic::AtomicBool;

#[test]
fn records_cut_at_any_byte_are_put_together() {
    let bytes = records(0..50);
    for cut in 1..=17 {
        let acts = bytes.chunks(cut).map(|part| Act::Bytes(part.to_vec()));
        assert_eq!(open(acts.collect()).read_on(0, 4096).unwrap(), file(0..50));
    }
}

#[test]
fn reads_of_any_size_give_the_same_bytes() {
    for size in [1, 7, 4096, 1 << 20] {
        let acts = vec![Act::Bytes(records(0..100)), Act::Bytes(records(100..300))];
        assert_eq!(open(acts).read_on(0, size).unwrap(), file(0..300));
    }
}

#[test]
fn only_the_last_read_is_short() {
    for size in [1000, 4096, 65_536, 131_072, 1 << 20] {
        let whole = file(0..400_000);
        let opened = open(long_pass(400_000));
        for (index, expected) in whole.chunks(size).enumerate() {
            let read = opened.read((index * size) as u64, size).unwrap();
            assert_eq!(read, expected, "read {index} of {size} bytes");
        }
    }
}

#[test]
fn rows_do_not_wait_for_objects_without() {
    let was_read = Arc::new(AtomicBool::new(false));
    let is_read = Arc::clone(&was_read);
    let opened = open(vec![
        Act::Bytes(records(0..3)),
        Act::Nothing,
        Act::Nothing,
        Act::NothingUntil(Arc::new(move || is_read.load(Ordering::SeqCst))),
        Act::Bytes(records(3..6)),
    ]);
    assert_eq!(opened.read(0, 4096).unwrap(), file(0..3));
    was_read.store(true, Ordering::SeqCst);
    assert_eq!(
        opened.read(file(0..3).len() as u64, 4096).unwrap(),
        file(3..6)
    );
}

#[test]
fn steps_without_rows_are_passed_over() {
    let acts = vec![
        Act::Nothing,
        Act::Bytes(records(0..1)),
        Act::Nothing,
        Act::Nothing,
        Act::Bytes(records(1..2)),
        Act::Nothing,
    ];
    assert_eq!(open(acts).read_on(0, 4096).unwrap(), file(0..2));
}

#[test]
fn the_last_mebibyte_can_be_read_again() {
    let whole = file(0..400_000);
    let opened = open(long_pass(400_000));
    assert_eq!(opened.read_on(0, 1 << 17).unwrap(), whole);
    let end = whole.len();
    let back = end - 1_000_000;
    assert_eq!(opened.read_on(back as u64, 1 << 17).unwrap(), whole[back..]);
    assert_eq!(opened.read(0, 10), Err(libc::ESPIPE));
    assert_eq!(opened.read(end as u64, 10), Ok(Vec::new()));
    assert_eq!(opened.read(end as u64 + 1_000_000, 10), Ok(Vec::new()));
}

#[test]
fn a_seek_ahead_skips() {
    let whole = file(0..400_000);
    let opened = open(long_pass(400_000));
    let at = whole.len() / 2;
    assert_eq!(opened.read_on(at as u64, 1 << 17).unwrap(), whole[at..]);
}

#[test]
fn several_reads_at_once_are_all_answered() {
    let opened = open(long_pass(100_000));
    let whole = file(0..100_000);
    let reads: Vec<_> = (0..20u64)
        .map(|index| (index, opened.start_read(index * 1000, 1000)))
        .collect();
    for (index, answer) in reads {
        let at = index as usize * 1000;
        let bytes = answer.recv_timeout(DEADLINE).unwrap().unwrap();
        assert_eq!(bytes, whole[at..at + bytes.len()]);
        assert!(!bytes.is_empty());
    }
}

#[test]
fn text_that_a_program_prints_passes_through() {
    let lines: String = (0..5000)
        .map(|n| format!("line {n} of a program\n"))
        .collect();
    for cut in [1000, 7777] {
        let acts = lines.as_bytes().chunks(cut);
        let acts = acts.map(|part| Act::Bytes(part.to_vec())).collect();
        let scheduler = Scheduler::with(2, 4, 1).unwrap();
        let account = Account::unbounded();
        let opened = open_pass(scheduler, None, vec![acts], Format::Text, account);
        assert_eq!(opened.read_on(0, 4096).unwrap(), lines.as_bytes());
    }
}
