//! Passes of several partitions.

use super::*;

#[test]
fn partitions_come_out_in_order() {
    for lengths in [
        &[0, 0, 5, 0, 3][..],
        &[1; 100],
        &[100_000, 1, 200_000, 0, 7, 50_000],
        &[0; 10],
    ] {
        let (partitions, all) = partitions_of(lengths);
        let opened = open_partitions(partitions, Format::JsonLines);
        assert!(
            opened.read_on(0, 1 << 17).unwrap() == file(0..all),
            "{lengths:?}"
        );
    }
}

#[test]
fn no_read_is_short_where_a_partition_ends() {
    // The rows of a partition fill a batch, so its end is a batch without rows.
    let (partitions, all) = partitions_of(&[17_000, 17_000]);
    let whole = file(0..all);
    let scheduler = Scheduler::with(1, 2, 1).unwrap();
    let account = Account::unbounded();
    let opened = open_on(scheduler, partitions, Format::JsonLines, account);
    let across = file(0..17_000).len() + 1000;
    assert!(opened.read(0, across).unwrap() == whole[..across]);
}

#[test]
fn an_array_of_partitions_is_one_array() {
    for lengths in [
        &[0, 0, 5, 0, 3][..],
        &[40_000, 0, 40_000],
        &[0; 10],
        &[2, 0],
    ] {
        let (partitions, all) = partitions_of(lengths);
        let bytes = open_partitions(partitions, Format::Json)
            .read_on(0, 1 << 17)
            .unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
        let numbers: Vec<_> = rows.iter().map(|row| row["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..u64::from(all)).collect::<Vec<_>>());
        assert!(bytes.starts_with(b"[") && bytes.ends_with(b"]\n"));
        assert!(!bytes.starts_with(b"[,"));
    }
}

#[test]
fn partitions_behind_the_front_do_not_pile_up() {
    let (mut partitions, _) = partitions_of(&[1_000_000; 6]);
    // The front partition stands still once it has begun.
    partitions[0].truncate(1);
    let steps: usize = partitions.iter().map(Vec::len).sum();
    let opened = open_partitions(partitions, Format::JsonLines);
    opened.read(0, 1).unwrap();
    assert!(opened.settled() < steps / 2);
}

#[test]
fn an_error_in_a_partition_comes_after_the_partitions_before_it() {
    let (mut partitions, _) = partitions_of(&[10_000, 10_000, 10_000]);
    partitions[1].insert(3, Act::Fail(libc::E2BIG));
    let opened = open_partitions(partitions, Format::JsonLines);
    let (read, errno) = opened.read_on(0, 1 << 17).unwrap_err();
    assert_eq!((read, errno), (file(0..13_000), libc::E2BIG));
    let mut partitions = partitions_of(&[10_000, 10_000, 10_000]).0;
    partitions[2].push(Act::Panic);
    let (read, errno) = open_partitions(partitions, Format::JsonLines)
        .read_on(0, 1 << 17)
        .unwrap_err();
    assert_eq!((read, errno), (file(0..30_000), libc::EIO));
}

#[test]
fn a_reader_that_goes_away_ends_all_partitions() {
    let opened = open_partitions(partitions_of(&[500_000; 8]).0, Format::JsonLines);
    opened.read(0, 1).unwrap();
    let shared = Arc::downgrade(&opened.stream.shared);
    drop(opened);
    let deadline = Instant::now() + DEADLINE;
    while shared.upgrade().is_some() {
        assert!(Instant::now() < deadline, "the pass goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}
