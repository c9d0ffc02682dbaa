//! How the outcome of a slow operation gets back to its caller.

use crate::error::Result;

/// Receives the outcome of a read or write, once, on any thread.
pub trait Answer: Send {
    /// Whether the caller was interrupted, so that nobody waits for the outcome.
    fn is_abandoned(&self) -> bool;

    /// Makes the caller wait until the operation ends, signals or not. Returns false if the
    /// caller has already given up: then the operation should do nothing.
    fn commit(&self) -> bool;

    /// Sends bytes (none at the end of a file or for a write), or a failure.
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
