//! Requests that wait for their replies, and callers that no longer do.
//!
//! When a signal reaches a caller that waits for a reply, the kernel sends INTERRUPT and
//! goes on waiting: even SIGKILL takes effect only once the request is answered
//! (fs/fuse/dev.c, request_wait_answer()). Such a request is answered with EINTR, by any
//! thread that is free, even while another thread still works on it.

use super::device::Device;
use fuser::Errno;
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long an interrupted request may still be answered as usual. Most are answered within
/// this time, so that programs that handle many signals (timers, profilers, Go's scheduler)
/// do not see EINTR from a file that looks regular.
const GRACE: Duration = Duration::from_millis(50);

/// The requests that wait for a reply and may be interrupted.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    state: Mutex<State>,
    wake: Condvar,
}

/// How a request waits.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    /// The request may be given up. The handle is that of the open file that it reads, if
    /// any.
    Interruptible(Option<u64>),
    /// The request is being carried out, and its caller waits for the outcome.
    Committed,
}

#[derive(Debug, Default)]
struct State {
    /// Waiting requests by number. The thread that removes a request answers it, so each
    /// request is answered once.
    waiting: HashMap<u64, Waiting>,
    /// Interrupted requests with the time when each is due to be answered, in order.
    due: VecDeque<(Instant, u64)>,
    ended: bool,
}

impl Interrupts {
    /// Notes that a request waits; `handle` is the open file that it reads, if any.
    pub(super) fn begin(&self, unique: u64, handle: Option<u64>) {
        let waiting = Waiting::Interruptible(handle);
        self.state.lock().waiting.insert(unique, waiting);
    }

    /// Makes the caller of a request wait to its end. Returns false if the caller has given
    /// up.
    pub(super) fn commit(&self, unique: u64) -> bool {
        match self.state.lock().waiting.get_mut(&unique) {
            Some(waiting) => {
                *waiting = Waiting::Committed;
                true
            }
            None => false,
        }
    }

    /// Removes a request in order to answer it. Returns false if it was already answered.
    pub(super) fn take(&self, unique: u64) -> bool {
        self.state.lock().waiting.remove(&unique).is_some()
    }

    /// Whether a request still waits for its reply.
    pub(super) fn waits(&self, unique: u64) -> bool {
        self.state.lock().waiting.contains_key(&unique)
    }

    /// Schedules an early reply to a request. Returns false if no such request waits.
    pub(super) fn interrupt(&self, unique: u64) -> bool {
        let mut state = self.state.lock();
        if !state.waiting.contains_key(&unique) {
            return false;
        }
        state.due.push_back((Instant::now() + GRACE, unique));
        drop(state);
        self.wake.notify_one();
        true
    }

    /// Answers interrupted requests when their time has come, until the session ends. Calls
    /// `abandoned` with each open file whose reader no longer waits.
    pub(super) fn serve(&self, device: &Device, abandoned: impl Fn(u64)) {
        let mut state = self.state.lock();
        while !state.ended {
            let Some(&(time, unique)) = state.due.front() else {
                self.wake.wait(&mut state);
                continue;
            };
            if Instant::now() < time {
                self.wake.wait_until(&mut state, time);
                continue;
            }
            state.due.pop_front();
            let Some(&Waiting::Interruptible(handle)) = state.waiting.get(&unique) else {
                continue;
            };
            state.waiting.remove(&unique);
            drop(state);
            device.answer(unique, Err(Errno::EINTR));
            if let Some(handle) = handle {
                abandoned(handle);
            }
            state = self.state.lock();
        }
    }

    /// Ends [`Interrupts::serve`].
    pub(super) fn end(&self) {
        self.state.lock().ended = true;
        self.wake.notify_one();
    }
}
