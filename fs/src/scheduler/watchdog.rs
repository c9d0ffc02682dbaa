//! Notices threads that the kernel keeps asleep.
//!
//! A thread counts as asleep if the kernel says so twice in a row and the thread has neither
//! run nor made a step in between. A thread that merely waits for a processor does not. The
//! watchdog looks often while jobs wait that could run in place of a sleeping one, seldom
//! while all jobs run, and not at all while there are none.

use super::Watched;
use super::pool::Pool;
use rustix::thread::Pid;
use std::fs;
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// A read fails if it has waited this long for a pass that the kernel keeps asleep.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How often the watchdog looks.
const OFTEN: Duration = Duration::from_millis(10);
const SELDOM: Duration = Duration::from_secs(1);

/// How often the watchdog looks now.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Pace {
    Off,
    Slow,
    Fast,
}

/// What the watchdog knows about a thread's sleep.
#[derive(Debug, Default)]
pub(super) struct Sleep {
    /// The progress of the thread when it was last seen asleep.
    progress: Option<Progress>,
    since: Option<Instant>,
    next_look: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Progress {
    /// Clock ticks during which the thread has run.
    ticks: u64,
    /// Steps that its pass has made.
    steps: u64,
}

impl Sleep {
    fn is_due(&self, now: Instant) -> bool {
        self.next_look.is_none_or(|at| at <= now)
    }

    /// Notes what the watchdog saw: the progress of the thread if it sleeps. Returns whether
    /// the thread counts as asleep.
    fn see(&mut self, seen: Option<Progress>, now: Instant) -> bool {
        let goes_on = seen.is_some() && seen == self.progress;
        self.progress = seen;
        self.since = goes_on.then(|| self.since.unwrap_or(now));
        // A thread that has slept for long is unlikely to wake soon: look less often.
        let asleep = self.since.map_or(Duration::ZERO, |since| now - since);
        self.next_look = Some(now + (asleep / 4).clamp(OFTEN, SELDOM) - OFTEN / 2);
        goes_on
    }

    fn has_lasted(&self, now: Instant, time: Duration) -> bool {
        self.since.is_some_and(|since| now - since >= time)
    }
}

/// Starts the watchdog.
pub(super) fn start(pool: Arc<Pool>) -> io::Result<()> {
    thread::Builder::new()
        .name("watchdog".into())
        .spawn(move || watch(&pool))
        .map(drop)
}

fn watch(pool: &Arc<Pool>) {
    loop {
        let mut state = pool.state.lock();
        if state.closing {
            return;
        }
        let is_ready = state.queue.is_ready();
        state.pace = state.wanted_pace(is_ready);
        match state.pace {
            Pace::Off => {
                pool.watch.wait(&mut state);
                continue;
            }
            Pace::Slow => pool.watch.wait_for(&mut state, SELDOM),
            Pace::Fast => pool.watch.wait_for(&mut state, OFTEN),
        };
        let now = Instant::now();
        let due: Vec<_> = (state.running.iter())
            .filter(|running| running.sleep.is_due(now))
            .map(|running| (running.number, running.thread, running.watched.clone()))
            .collect();
        drop(state);
        let seen: Vec<(u64, Option<Progress>)> = (due.into_iter())
            .map(|(number, thread, watched)| (number, progress_if_asleep(thread, watched)))
            .collect();
        act(pool, &seen);
    }
}

/// Updates the state with what the watchdog saw, and fails the reads that are late.
fn act(pool: &Arc<Pool>, seen: &[(u64, Option<Progress>)]) {
    let now = Instant::now();
    let mut late: Vec<Weak<dyn Watched>> = Vec::new();
    let mut state = pool.state.lock();
    let state_now = &mut *state;
    for running in &mut state_now.running {
        if let Some((_, progress)) = seen.iter().find(|(number, _)| *number == running.number) {
            let asleep = running.sleep.see(*progress, now);
            state_now.queue.set_asleep(&mut running.ticket, asleep);
        }
        if running.sleep.has_lasted(now, PATIENCE) {
            late.extend(running.watched.clone());
        }
    }
    let threads = state_now.threads;
    let kept = state_now.queue.kept_from_threads(threads);
    let kept = kept.filter(|job| now.saturating_duration_since(job.queued) >= PATIENCE);
    late.extend(kept.filter_map(|job| job.watched.clone()));
    let actions = state_now.actions(pool.max_threads);
    drop(state);
    Pool::act(pool, actions);
    for watched in late {
        if let Some(watched) = watched.upgrade() {
            watched.time_out(PATIENCE);
        }
    }
}

/// The progress of one of our threads, if it sleeps.
fn progress_if_asleep(thread: Pid, watched: Option<Weak<dyn Watched>>) -> Option<Progress> {
    let stat = fs::read(format!("/proc/self/task/{}/stat", thread.as_raw_nonzero())).ok()?;
    let ticks = ticks_if_asleep(&stat)?;
    let watched = watched.and_then(|watched| watched.upgrade());
    Some(Progress {
        ticks,
        steps: watched.map_or(0, |watched| watched.steps()),
    })
}

/// The clock ticks during which a thread has run, if it sleeps, from a line in the format of
/// proc_pid_stat(5): the state is the third field, user and system time are the 14th and
/// 15th, and the second, the name, may hold any bytes.
fn ticks_if_asleep(stat: &[u8]) -> Option<u64> {
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    if !matches!(fields.next()?, "S" | "D") {
        return None;
    }
    let mut times = fields.skip(10);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat() {
        let line = |state: &str| {
            format!("7 (a) R (b) {state} 1 2 3 4 5 6 7 8 9 10 100 20 0 0 20 0 1 0 5 6 7")
        };
        assert_eq!(ticks_if_asleep(line("S").as_bytes()), Some(120));
        assert_eq!(ticks_if_asleep(line("D").as_bytes()), Some(120));
        assert_eq!(ticks_if_asleep(line("R").as_bytes()), None);
        assert_eq!(ticks_if_asleep(b"7 (a"), None);
    }

    #[test]
    fn a_thread_that_makes_steps_or_runs_is_awake() {
        let progress = |ticks, steps| Some(Progress { ticks, steps });
        let mut sleep = Sleep::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert!(!sleep.see(progress(1, 1), at(0)));
        assert!(!sleep.see(progress(1, 2), at(1)));
        assert!(!sleep.see(progress(2, 2), at(2)));
        assert!(!sleep.see(None, at(3)));
        assert!(!sleep.see(progress(2, 2), at(4)));
        assert!(sleep.see(progress(2, 2), at(5)));
        assert!(sleep.see(progress(2, 2), at(14)));
        assert!(!sleep.has_lasted(at(14), PATIENCE));
        assert!(sleep.has_lasted(at(15), PATIENCE));
        assert!(!sleep.see(progress(3, 2), at(16)));
        assert!(!sleep.has_lasted(at(100), PATIENCE));
    }
}
