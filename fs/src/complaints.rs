//! Messages that any user can cause, at a rate that leaves the log readable.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Messages in one [`PERIOD`].
const MOST: u32 = 10;

/// How long the messages of one period are counted together.
const PERIOD: Duration = Duration::from_secs(60);

/// Counts messages, and leaves some out.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    logged: u32,
    left_out: u64,
}

impl Complaints {
    /// Whether to log a message now; then the number of messages that were left out before it.
    pub(crate) fn next(&self) -> Option<u64> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
        if (state.since).is_none_or(|since| now.duration_since(since) >= PERIOD) {
            state.since = Some(now);
            state.logged = 0;
        }
        if state.logged == MOST {
            state.left_out += 1;
            return None;
        }
        state.logged += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_beyond_the_rate_are_counted_not_logged() {
        let complaints = Complaints::default();
        let start = Instant::now();
        for _ in 0..MOST {
            assert_eq!(complaints.at(start), Some(0));
        }
        assert_eq!(complaints.at(start), None);
        assert_eq!(complaints.at(start + PERIOD / 2), None);
        assert_eq!(complaints.at(start + PERIOD), Some(2));
        assert_eq!(complaints.at(start + PERIOD), Some(0));
    }
}
