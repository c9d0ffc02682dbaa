//! Processes that a thread has just seen.
//!
//! One open(2) of `pid/42/files` sends three requests that need process 42: the lookups of
//! both names, and the open. The thread that sends them waits for each, so nothing that it
//! can observe happens between two of them, and one look at the process serves all three.

use iterfs_mapping::View;
use iterfs_mapping::contract::Process;
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// How long a look is valid: much longer than the requests of one open(2) take, and much
/// shorter than the kernel takes to reuse a pid.
const LIFETIME: Duration = Duration::from_millis(10);

/// Number of threads whose last look is kept. A thread that shares its place with another
/// one only has to look again.
const THREADS: usize = 64;

/// The last look of some threads. The lock is held only to copy one in or out.
#[derive(Debug)]
pub(crate) struct Sightings(Mutex<[Option<Sighting>; THREADS]>);

#[derive(Clone, Copy, Debug)]
struct Sighting {
    view: View,
    process: Process,
    at: Instant,
}

impl Default for Sightings {
    fn default() -> Sightings {
        Sightings(Mutex::new([None; THREADS]))
    }
}

impl Sightings {
    /// Notes that a viewer sees a process.
    pub(crate) fn add(&self, view: &View, process: Process) {
        if let Some(place) = place(view) {
            self.0.lock()[place] = Some(Sighting {
                view: *view,
                process,
                at: Instant::now(),
            });
        }
    }

    /// The process with this pid, if the same viewer has just seen it.
    pub(crate) fn find(&self, view: &View, pid: u32) -> Option<Process> {
        let sighting = self.0.lock()[place(view)?]?;
        let is_same = sighting.view == *view && sighting.process.pid == pid;
        (is_same && sighting.at.elapsed() < LIFETIME).then_some(sighting.process)
    }

    /// Forgets the process that a viewer saw.
    pub(crate) fn forget(&self, view: &View) {
        if let Some(place) = place(view) {
            self.0.lock()[place] = None;
        }
    }
}

/// The place of a viewer's thread. The daemon itself has none and looks every time.
fn place(view: &View) -> Option<usize> {
    Some(view.caller.thread? as usize % THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iterfs_mapping::caller::{Caller, INITIAL_PID_NAMESPACE};
    use std::thread;

    fn view(thread: u32) -> View {
        View::of(Caller {
            thread: Some(thread),
            pid_namespace: INITIAL_PID_NAMESPACE,
            net_namespace: 1,
            user_namespace: 2,
            is_on_host: true,
        })
    }

    const PROCESS: Process = Process {
        pid: 42,
        started: 7,
        slots: 64,
    };

    #[test]
    fn a_look_serves_the_same_viewer_briefly() {
        let sightings = Sightings::default();
        sightings.add(&view(5), PROCESS);
        let started = Instant::now();
        let found = sightings.find(&view(5), 42);
        assert!(found == Some(PROCESS) || started.elapsed() >= LIFETIME);
        assert_eq!(sightings.find(&view(5), 43), None);
        assert_eq!(sightings.find(&view(6), 42), None);
        assert_eq!(sightings.find(&view(5 + THREADS as u32), 42), None);
        let mut contained = view(5);
        contained.caller.pid_namespace = 9;
        assert_eq!(sightings.find(&contained, 42), None);
        thread::sleep(LIFETIME);
        assert_eq!(sightings.find(&view(5), 42), None);
    }

    #[test]
    fn the_daemon_looks_every_time() {
        let sightings = Sightings::default();
        let mut own = view(5);
        own.caller.thread = None;
        sightings.add(&own, PROCESS);
        assert_eq!(sightings.find(&own, 42), None);
    }
}
