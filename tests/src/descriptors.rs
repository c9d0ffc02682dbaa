//! Thousands of descriptors in the tests' own process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Leave to open thousands of descriptors, for one test of the process at a time.
#[derive(Debug)]
pub struct ManyDescriptors {
    _turn: MutexGuard<'static, ()>,
}

impl ManyDescriptors {
    /// Waits for other tests that open thousands. Raises this process's limit, and that of
    /// the daemons started from here on, to the most that is allowed.
    pub fn allow() -> ManyDescriptors {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let limit = Rlimit {
            current: maximum,
            maximum,
        };
        setrlimit(Resource::Nofile, limit).expect("a limit may be raised to its maximum");
        ManyDescriptors { _turn: turn }
    }
}
