//! Tests that run one at a time, because they load the machine, measure it, or change what
//! belongs to all of it. Each begins with [`turn`].
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod addresses;
mod asked_names;
mod control_leaks;
mod counts;
mod hostile_readers;
mod load;

/// Waits until no other test of this binary runs. The turn lasts as long as the guard.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed is over as well.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is not a module is not compiled: its tests would never run.
#[test]
fn every_file_is_a_module() {
    iterfs_tests::modules::check("alone", include_str!("main.rs"));
}

#[test]
fn every_test_waits_for_its_turn() {
    let tests = iterfs_tests::modules::tests("alone");
    assert!(tests.len() > 10, "{} tests", tests.len());
    for (name, body) in tests {
        let waits = body.trim_start().starts_with("let _turn = crate::turn();");
        assert!(waits, "{name} does not begin with its turn");
    }
}
