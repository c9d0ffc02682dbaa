//! A thread that does one job after the other, apart from all other threads.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// The thread and its queue; it ends when this is dropped and the queue is empty.
pub(crate) struct Serial(Sender<Job>);

impl Serial {
    /// Starts the thread.
    ///
    /// # Errors
    /// The kernel's, if it starts no thread.
    pub(crate) fn start(name: &str) -> io::Result<Serial> {
        let (send, jobs) = channel::<Job>();
        thread::Builder::new().name(name.into()).spawn(move || {
            for job in jobs {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("a job panicked; this is a fault of iterfs");
                }
            }
        })?;
        Ok(Serial(send))
    }

    /// Has the thread run a job, after those that came before it.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The thread lives as long as the sender.
        let _ = self.0.send(Box::new(job));
    }
}
