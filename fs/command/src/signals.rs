//! Signals to the daemon.
//!
//! No signal ends the daemon and leaves its mount behind, except SIGKILL and those of a
//! fault (SIGSEGV, SIGABRT and the like): the daemon unmounts, reloads, or ignores the
//! signal.

use crate::sys;
use iterfs_fs::mount::{MountError, Mountpoint};
use libc::{SIGPWR, SIGSTKFLT};
use parking_lot::Mutex;
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPIPE, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
    SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use signal_hook::iterator::Signals as Received;
use std::io;
use std::os::fd::OwnedFd;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Signals that unmount.
const ENDING: [i32; 3] = [SIGTERM, SIGINT, SIGQUIT];

/// Signals that by default end a process. The daemon ignores them.
const MEANINGLESS: [i32; 11] = [
    SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPIPE, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU,
    SIGXFSZ,
];

/// How long open files may delay the end after a signal.
const GRACE: Duration = Duration::from_millis(500);

type Reload = Box<dyn Fn() + Send>;

/// The thread that waits for signals.
#[derive(Clone, Default)]
pub(crate) struct Signals(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The mount to unmount; `None` before it is made.
    mountpoint: Option<Mountpoint>,
    reload: Option<Reload>,
}

impl Signals {
    /// Takes charge of the signals. Call this before anything is mounted.
    ///
    /// `is_on_terminal` says whether SIGHUP means that the terminal is gone: then it
    /// unmounts, otherwise it reloads.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn begin(is_on_terminal: bool) -> io::Result<Signals> {
        MEANINGLESS
            .into_iter()
            .chain(sys::real_time_signals())
            .try_for_each(sys::ignore)?;
        let signals = Signals::default();
        let state = Arc::clone(&signals.0);
        let mut received = Received::new(ENDING.iter().chain(&[SIGHUP]))?;
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in received.forever() {
                    if signal == SIGHUP && !is_on_terminal {
                        // Before that, the mount reads the current configuration anyway.
                        state.lock().reload.iter().for_each(|reload| reload());
                    } else {
                        end(&state, signal);
                    }
                }
            })?;
        Ok(signals)
    }

    /// Mounts while signals that unmount have to wait.
    ///
    /// # Errors
    /// Those of `mount`.
    pub(crate) fn mounting(
        &self,
        mount: impl FnOnce() -> Result<(OwnedFd, Mountpoint), MountError>,
    ) -> Result<(OwnedFd, Mountpoint), MountError> {
        let mut state = self.0.lock();
        let (fuse, mountpoint) = mount()?;
        state.mountpoint = Some(mountpoint.clone());
        Ok((fuse, mountpoint))
    }

    /// Sets the function that reloads. It must not take long.
    pub(crate) fn on_reload(&self, reload: impl Fn() + Send + 'static) {
        self.0.lock().reload = Some(Box::new(reload));
    }
}

/// Unmounts, which ends the session. Files that are still open would keep the session
/// alive, but they fail anyway when the process ends.
fn end(state: &Mutex<State>, signal: i32) {
    match &state.lock().mountpoint {
        Some(mountpoint) => mountpoint.unmount(),
        // Nothing is mounted, so let the signal take its default action.
        None => {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
            return;
        }
    }
    thread::sleep(GRACE);
    tracing::info!("unmounted; files that are still open fail from now on");
    process::exit(0);
}
