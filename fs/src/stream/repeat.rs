//! The times at which a stream begins its passes, if its name asks for one pass after another.
//!
//! They lie on a grid that is fixed when the file is opened. A pass begins only while somebody
//! waits for it, so a reader that falls behind skips times, and no pass is ever queued.

use crate::error::Result;
use crate::scheduler::{Alarm, Scheduler};
use iterfs_mapping::contract::Pass;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Opens the next pass for the caller that opened the file.
pub type OpenAgain = Box<dyn Fn() -> Result<Pass> + Send + Sync>;

/// How the passes of a stream follow each other.
pub struct Repeat {
    /// The time between the beginnings of two passes.
    pub interval: Duration,
    /// Opens a pass.
    pub open: OpenAgain,
}

/// The passes of a stream, behind its lock.
pub(super) struct Schedule {
    begun: Instant,
    interval: Duration,
    pub(super) open: Arc<OpenAgain>,
    /// The alarm for the beginning of the next pass.
    pub(super) alarm: Option<Alarm>,
    /// Whether the next pass is being opened.
    pub(super) opens: bool,
    pub(super) scheduler: Arc<Scheduler>,
}

impl Schedule {
    pub(super) fn new(repeat: Repeat, scheduler: &Arc<Scheduler>) -> Schedule {
        Schedule {
            begun: Instant::now(),
            interval: repeat.interval,
            open: Arc::new(repeat.open),
            alarm: None,
            opens: false,
            scheduler: Arc::clone(scheduler),
        }
    }

    /// The first time of the grid after `now`.
    pub(super) fn next_after(&self, now: Instant) -> Instant {
        next_after(self.begun, self.interval, now)
    }
}

fn next_after(begun: Instant, interval: Duration, now: Instant) -> Instant {
    let passed = now.saturating_duration_since(begun).as_nanos();
    let interval = interval.as_nanos().max(1);
    let next = (passed / interval + 1) * interval;
    begun + Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lie_on_a_grid_whatever_time_passes_between() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let next = |now| next_after(begun, Duration::from_millis(100), now);
        assert_eq!(next(begun), at(100));
        assert_eq!(next(at(99)), at(100));
        assert_eq!(next(at(100)), at(200));
        assert_eq!(next(at(1_234_567)), at(1_234_600));
    }
}
