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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_one_after_another_even_if_one_panics() {
        let serial = Serial::start("serial").unwrap();
        let (say, said) = channel();
        for number in 0..100 {
            let say = say.clone();
            serial.run(move || {
                assert!(number != 50, "a panic that a test causes");
                say.send((number, thread::current().id())).unwrap();
            });
        }
        drop(say);
        let (numbers, threads): (Vec<_>, Vec<_>) = said.iter().unzip();
        assert!(numbers.iter().copied().eq((0..50).chain(51..100)));
        assert!(threads.iter().all(|thread| *thread == threads[0]));
    }

    #[test]
    fn jobs_that_wait_are_done_after_the_last_owner_is_gone() {
        let serial = Serial::start("serial").unwrap();
        let (say, said) = channel();
        for number in 0..10 {
            let say = say.clone();
            serial.run(move || say.send(number).unwrap());
        }
        drop((serial, say));
        assert!(said.iter().eq(0..10));
    }
}
