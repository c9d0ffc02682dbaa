//! Notices threads that the kernel keeps asleep.
//!
//! A thread is asleep if the kernel says so twice in a row and it has neither run nor made a
//! step in between. A thread that merely waits for a processor is not. The watchdog looks
//! often while jobs wait that could run in place of one asleep, seldom while all run, and
//! not at all while there are none.

use super::{Core, Watched};
use rustix::thread::Pid;
use std::fs;
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How long a read waits for a pass that the kernel keeps asleep before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How often the watchdog looks.
const OFTEN: Duration = Duration::from_millis(10);
const SELDOM: Duration = Duration::from_secs(1);

/// How the watchdog goes about it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Pace {
    Off,
    Slow,
    Fast,
}

/// What the watchdog knows about a thread's sleep.
#[derive(Debug, Default)]
pub(super) struct Sleep {
    /// The thread's progress when it was last seen asleep.
    progress: Option<Progress>,
    since: Option<Instant>,
    next_look: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Progress {
    /// Clock ticks for which the thread has run.
    ticks: u64,
    /// Steps of its pass.
    steps: u64,
}

impl Sleep {
    fn is_due(&self, now: Instant) -> bool {
        self.next_look.is_none_or(|at| at <= now)
    }

    /// Notes what was seen: progress if the thread sleeps. Says whether it is asleep.
    fn see(&mut self, seen: Option<Progress>, now: Instant) -> bool {
        let goes_on = seen.is_some() && seen == self.progress;
        self.progress = seen;
        self.since = goes_on.then(|| self.since.unwrap_or(now));
        // Whoever has slept long will hardly wake at once.
        let asleep = self.since.map_or(Duration::ZERO, |since| now - since);
        self.next_look = Some(now + (asleep / 4).clamp(OFTEN, SELDOM) - OFTEN / 2);
        goes_on
    }

    fn has_lasted(&self, now: Instant, time: Duration) -> bool {
        self.since.is_some_and(|since| now - since >= time)
    }
}

/// Starts the watchdog.
pub(super) fn start(core: Arc<Core>) -> io::Result<()> {
    thread::Builder::new()
        .name("watchdog".into())
        .spawn(move || watch(&core))
        .map(drop)
}

fn watch(core: &Arc<Core>) {
    loop {
        let mut state = core.state.lock();
        if state.closing {
            return;
        }
        let is_ready = state.queue.is_ready();
        state.pace = state.wanted_pace(is_ready);
        match state.pace {
            Pace::Off => {
                core.watch.wait(&mut state);
                continue;
            }
            Pace::Slow => core.watch.wait_for(&mut state, SELDOM),
            Pace::Fast => core.watch.wait_for(&mut state, OFTEN),
        };
        let now = Instant::now();
        let due: Vec<_> = (state.working.iter())
            .filter(|working| working.sleep.is_due(now))
            .map(|working| (working.number, working.thread, working.watched.clone()))
            .collect();
        drop(state);
        let seen: Vec<(u64, Option<Progress>)> = (due.into_iter())
            .map(|(number, thread, watched)| (number, progress_if_asleep(thread, watched)))
            .collect();
        act(core, &seen);
    }
}

/// Acts on what was seen.
fn act(core: &Arc<Core>, seen: &[(u64, Option<Progress>)]) {
    let now = Instant::now();
    let mut late: Vec<Weak<dyn Watched>> = Vec::new();
    let mut state = core.state.lock();
    let state_now = &mut *state;
    for working in &mut state_now.working {
        if let Some((_, progress)) = seen.iter().find(|(number, _)| *number == working.number) {
            let asleep = working.sleep.see(*progress, now);
            state_now.queue.set_asleep(&mut working.ticket, asleep);
        }
        if working.sleep.has_lasted(now, PATIENCE) {
            late.extend(working.watched.clone());
        }
    }
    let threads = state_now.threads;
    let kept = state_now.queue.kept_from_threads(threads);
    let kept = kept.filter(|job| now.saturating_duration_since(job.queued) >= PATIENCE);
    late.extend(kept.filter_map(|job| job.watched.clone()));
    let calls = state_now.calls(core.max_threads);
    drop(state);
    Core::make(core, calls);
    for watched in late {
        if let Some(watched) = watched.upgrade() {
            watched.time_out(PATIENCE);
        }
    }
}

/// How far a thread of ours has come, if it sleeps.
fn progress_if_asleep(thread: Pid, watched: Option<Weak<dyn Watched>>) -> Option<Progress> {
    let stat = fs::read(format!("/proc/self/task/{}/stat", thread.as_raw_nonzero())).ok()?;
    let ticks = ticks_if_asleep(&stat)?;
    let watched = watched.and_then(|watched| watched.upgrade());
    Some(Progress {
        ticks,
        steps: watched.map_or(0, |watched| watched.steps()),
    })
}

/// For how many clock ticks a thread has run, if it sleeps, by a line of
/// proc_pid_stat(5): the state is its third field, the user and system time the 14th and
/// 15th, and the second, the name, may hold anything.
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
