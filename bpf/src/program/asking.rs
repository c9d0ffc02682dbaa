//! The form of a built-in program that answers questions, loaded when it is first needed.

use crate::load::libbpf_error::is_shortage;
use crate::program::Program;
use iterfs_mapping::error::{Error, Result};
use parking_lot::Mutex;
use std::sync::Arc;

/// The form. The lock is held while it is loaded, so that it is loaded only once.
#[derive(Debug, Default)]
pub(crate) struct AskingForm(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// Nobody has asked yet.
    #[default]
    Unknown,
    /// The kernel refuses it.
    Refused,
    Loaded(Arc<Program>),
}

impl AskingForm {
    /// The form, which `load` loads if it was not loaded yet; none if the kernel refuses it. A
    /// refusal is logged once.
    pub(crate) fn get(&self, load: impl FnOnce() -> Result<Program>) -> Option<Arc<Program>> {
        let mut state = self.0.lock();
        match &*state {
            State::Loaded(program) => return Some(Arc::clone(program)),
            State::Refused => return None,
            State::Unknown => {}
        }
        match load() {
            Ok(program) => {
                let program = Arc::new(program);
                *state = State::Loaded(Arc::clone(&program));
                Some(program)
            }
            Err(error) => {
                if !is_passing(&error) {
                    *state = State::Refused;
                }
                tracing::warn!("iterfs evaluates conditions itself, not in the kernel: {error}");
                None
            }
        }
    }
}

/// Whether loading may succeed at another time.
fn is_passing(error: &Error) -> bool {
    let (Error::Load { cause, .. }
    | Error::Attach { cause, .. }
    | Error::Reader(cause)
    | Error::Pass(cause)) = error
    else {
        return false;
    };
    is_shortage(cause)
}
