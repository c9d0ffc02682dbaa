//! Passes that fail.

use super::*;

#[test]
fn an_error_comes_after_the_rows_before_it() {
    let acts = vec![
        Act::Bytes(records(0..3)),
        Act::Fail(libc::E2BIG),
        Act::Bytes(records(3..6)),
    ];
    let opened = open(acts);
    assert_eq!(opened.read_on(0, 4096), Err((file(0..3), libc::E2BIG)));
    assert_eq!(opened.read(file(0..3).len() as u64, 1), Err(libc::E2BIG));
    assert_eq!(opened.read(0, 5).unwrap(), file(0..3)[..5]);
}

#[test]
fn a_fault_of_ours_is_an_error_to_the_reader() {
    let acts = vec![Act::Bytes(records(0..3)), Act::Panic];
    assert_eq!(open(acts).read_on(0, 4096), Err((file(0..3), libc::EIO)));
    // The same ahead of the reader, on a thread of the pool.
    let mut acts = long_pass(100_000);
    acts.push(Act::Panic);
    let (read, errno) = open(acts).read_on(0, 1 << 17).unwrap_err();
    assert_eq!((read.len(), errno), (file(0..100_000).len(), libc::EIO));
}

#[test]
fn a_pass_that_ends_inside_a_row_is_an_error() {
    let mut bytes = records(0..2);
    bytes.pop();
    let opened = open(vec![Act::Bytes(bytes)]);
    assert_eq!(opened.read_on(0, 4096), Err((file(0..1), libc::EIO)));
}
