//! Waiting for what gives no event.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that is bound to happen, on a machine under load.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until something holds. Fails after [`DEADLINE`].
pub fn wait_until(what: &str, holds: impl FnMut() -> bool) {
    assert!(comes_true(holds), "never: {what}");
}

/// Waits until something holds, or [`DEADLINE`] has passed. Returns whether it holds.
pub fn comes_true(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + DEADLINE;
    let mut pause = Duration::from_micros(100);
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(pause);
        pause = (2 * pause).min(Duration::from_millis(10));
    }
    true
}
