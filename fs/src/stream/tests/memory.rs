//! The memory that streams keep.

use super::*;
use crate::access::memory::{self, Memory};
use crate::access::quota::{AccountId, Accounts, Quota};

#[test]
fn what_is_kept_is_bounded() {
    let opened = open(long_pass(2_000_000));
    opened.read_on(0, 1 << 17).unwrap();
    let state = opened.stream.shared.state.lock();
    let kept = state.window.kept();
    assert!(kept <= 1024 * 1024 + 3 * 256 * 1024, "{kept} bytes kept");
}

#[test]
fn the_backlog_is_on_the_account_until_it_goes_out() {
    let quota = Quota {
        handles: 1,
        bytes: 400_000,
    };
    let accounts = Accounts::new(10, Memory::new(memory::DEFAULT));
    let seat = accounts.open(AccountId::of_uid(7), quota, Duration::ZERO);
    let account = seat.as_ref().unwrap().account();
    // The front partition produces nothing, so everything that is produced waits behind it.
    let (mut partitions, _) = partitions_of(&[0, 1_000_000, 1_000_000]);
    let whole = file(0..30_000);
    let fills = Arc::clone(&account);
    let is_full = move || fills.used() > quota.bytes / 8;
    partitions[0] = vec![Act::NothingUntil(Arc::new(is_full))];
    let opened = open_charged(partitions, Format::JsonLines, Arc::clone(&account));
    assert!(opened.read_on_to(0, 1 << 18).unwrap() == whole[..1 << 18]);
    opened.settled();
    assert!(account.used() > 0);
    drop((opened, seat));
    assert_eq!(account.used(), 0, "something stayed on the account");
}

#[test]
fn many_readers_of_one_account_read_on_whatever_is_kept_for_them() {
    const READERS: usize = 64;
    let quota = Quota {
        handles: 1,
        bytes: 16 * 1024 * 1024,
    };
    let accounts = Accounts::new(10, Memory::new(memory::DEFAULT));
    let seat = accounts.open(AccountId::of_uid(7), quota, Duration::ZERO);
    let account = seat.as_ref().unwrap().account();
    let whole = file(0..200_000);
    let open = || {
        let partitions = vec![long_pass(200_000)];
        open_charged(partitions, Format::JsonLines, Arc::clone(&account))
    };
    let readers: Vec<_> = (0..READERS).map(|_| open()).collect();
    // Each has read as far before any continues.
    let mut most = 0;
    for at in (0..whole.len()).step_by(1 << 17) {
        for reader in &readers {
            let wanted = &whole[at..(at + (1 << 17)).min(whole.len())];
            assert!(reader.read_on_to(at as u64, wanted.len()).unwrap() == wanted);
            most = most.max(account.used());
        }
    }
    // Alone, each would keep two mebibytes. The quota is doubled for bytes in flight.
    assert!(most < 2 * quota.bytes, "{most} bytes kept");
    // The bytes that are always kept behind a reader can be read again.
    for reader in &readers {
        let at = whole.len() - memory::LEAST_BEHIND as usize;
        assert!(reader.read_on_to(at as u64, 1000).unwrap() == whole[at..at + 1000]);
    }
}
