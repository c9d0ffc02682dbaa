//! A thread of its own that runs one job after another.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// The thread and its queue. The thread ends once this is dropped and the queue is empty.
pub(crate) struct Serial(Sender<Job>);

impl Serial {
    /// Starts the thread.
    ///
    /// # Errors
    /// The kernel's, if it does not start the thread.
    pub(crate) fn start(name: &str) -> io::Result<Serial> {
        let (send, jobs) = channel::<Job>();
        thread::Builder::new().name(name.into()).spawn(move || {
            for job in jobs {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("internal error in iterfs: a job panicked");
                }
            }
        })?;
        Ok(Serial(send))
    }

    /// Runs a job on the thread, after the jobs that came before it.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The thread lives as long as the sender.
        let _ = self.0.send(Box::new(job));
    }
}
