//! One timer for everything that waits for a time: a thread that sleeps until the next of
//! these times, and uses no processor until then.

use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Instant;

/// Something that waits for a time.
pub(crate) trait Due: Send + Sync {
    /// Notes that the time has come. This must not take long.
    fn due(self: Arc<Self>);
}

/// A time that somebody waits for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Alarm {
    at: Instant,
    /// Tells alarms apart whose time is the same.
    number: u64,
}

impl Alarm {
    /// An alarm that is not set yet.
    pub(crate) fn new(at: Instant) -> Alarm {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        Alarm { at, number }
    }
}

/// The timer. Its thread ends once this is dropped.
pub(crate) struct Timer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Never held while an entry is told of its time.
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    alarms: BTreeMap<Alarm, Weak<dyn Due>>,
    closing: bool,
}

impl Timer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The kernel's, if it does not start the thread.
    pub(super) fn start() -> io::Result<Timer> {
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name("timer".into())
            .spawn(move || own.serve())?;
        Ok(Timer(shared))
    }

    /// Tells `whom` once when the time has come, if it is still there.
    pub(crate) fn set(&self, alarm: Alarm, whom: Weak<dyn Due>) {
        let mut state = self.0.state.lock();
        state.alarms.insert(alarm, whom);
        let is_next = state.alarms.keys().next() == Some(&alarm);
        drop(state);
        if is_next {
            self.0.wake.notify_one();
        }
    }

    /// Forgets an alarm whose time has not come.
    pub(crate) fn cancel(&self, alarm: Alarm) {
        let cancelled = self.0.state.lock().alarms.remove(&alarm);
        drop(cancelled);
    }

    /// The number of alarms whose time has not come.
    #[cfg(test)]
    pub(crate) fn alarms(&self) -> usize {
        self.0.state.lock().alarms.len()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.state.lock().closing = true;
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn serve(&self) {
        let mut state = self.state.lock();
        while !state.closing {
            let Some(next) = state.alarms.first_entry() else {
                self.wake.wait(&mut state);
                continue;
            };
            let at = next.key().at;
            if Instant::now() < at {
                self.wake.wait_until(&mut state, at);
                continue;
            }
            let whom = next.remove();
            drop(state);
            if let Some(whom) = whom.upgrade() {
                whom.due();
            }
            state = self.state.lock();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    struct Bell(Mutex<Sender<Instant>>);

    impl Due for Bell {
        fn due(self: Arc<Self>) {
            self.0.lock().send(Instant::now()).unwrap();
        }
    }

    #[test]
    fn each_is_told_in_its_turn_and_not_before() {
        let timer = Timer::start().unwrap();
        let (send, told) = channel();
        let bell = Arc::new(Bell(Mutex::new(send)));
        let whom: Weak<Bell> = Arc::downgrade(&bell);
        let now = Instant::now();
        let times = [40, 10, 30, 20].map(|milliseconds| now + Duration::from_millis(milliseconds));
        for at in times {
            timer.set(Alarm::new(at), whom.clone());
        }
        let cancelled = Alarm::new(now + Duration::from_secs(3600));
        timer.set(cancelled, whom.clone());
        let told: Vec<_> = told.iter().take(4).collect();
        assert!(told.is_sorted());
        let mut times = times;
        times.sort();
        assert!(told.iter().zip(times).all(|(told, at)| *told >= at));
        assert_eq!(timer.alarms(), 1);
        timer.cancel(cancelled);
        assert_eq!(timer.alarms(), 0);
    }
}
