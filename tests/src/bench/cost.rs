//! The cost of a piece of work.

use crate::Mount;
use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

/// The time that passed, and that processors worked.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From the beginning to the end.
    pub wall: Duration,
    /// User and system time of this process, of children that ended meanwhile, and
    /// of the daemon.
    pub cpu: Duration,
}

/// Measures costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// The process whose work counts, too.
    daemon: Option<u32>,
}

impl Meter {
    /// For what a mount's daemon does, too.
    pub fn of(mount: &Mount) -> Meter {
        Meter {
            daemon: Some(mount.daemon()),
        }
    }

    /// Does some work and tells what it cost.
    ///
    /// # Errors
    /// If the work or a clock fails.
    pub fn measure(self, work: impl FnOnce() -> Result<()>) -> Result<Cost> {
        let cpu = self.cpu()?;
        let start = Instant::now();
        work()?;
        let wall = start.elapsed();
        Ok(Cost {
            wall,
            cpu: self.cpu()?.saturating_sub(cpu),
        })
    }

    fn cpu(self) -> Result<Duration> {
        let own = Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?);
        let children = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let daemon = match self.daemon {
            Some(pid) => processor_time(pid)?,
            None => Duration::ZERO,
        };
        Ok(own + duration(children.user_time()) + duration(children.system_time()) + daemon)
    }
}

/// User and system time of a process, to the nanosecond.
///
/// # Errors
/// If there is no such process.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid as i32))?;
    Ok(clock_gettime(clock)?.into())
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_secs(time.tv_sec() as u64) + Duration::from_micros(time.tv_usec() as u64)
}
