//! How the outcome of a slow operation gets back to its caller.

use crate::error::Result;

/// Takes the outcome of a read or write, once, on any thread.
pub trait Answer: Send {
    /// Whether its caller was interrupted, so that nobody waits for it.
    fn is_abandoned(&self) -> bool;

    /// Has the caller wait to the end, signals or not. Returns false if it is abandoned:
    /// then nothing should be done.
    fn commit(&self) -> bool;

    /// Takes bytes, none of them at the end of a file or for a write; or a failure.
    fn send(self: Box<Self>, outcome: Result<&[u8]>);
}

/// For callers that always wait.
impl<F: FnOnce(Result<&[u8]>) + Send> Answer for F {
    fn is_abandoned(&self) -> bool {
        false
    }

    fn commit(&self) -> bool {
        true
    }

    fn send(self: Box<Self>, outcome: Result<&[u8]>) {
        self(outcome);
    }
}
