//! Makes the kernel drop names that ask once nobody uses them.

use super::Operations;
use crate::error::{Failure, Result};
use crate::tree::inode;
use crate::tree::questions::Questions;
use iterfs_mapping::Directory;
use std::ffi::OsStr;
use std::sync::{Arc, OnceLock};
use std::thread;

/// Makes the kernel drop a name in a directory.
type Forget = Box<dyn Fn(Directory, &OsStr) + Send + Sync>;

/// A thread that has the kernel drop names. It ends once this is dropped.
///
/// It is a thread of its own because the kernel may make it wait for the lookups in a
/// directory, which other threads answer.
pub(super) struct NamesInUse {
    questions: Arc<Questions>,
    forget: Arc<OnceLock<Forget>>,
}

impl NamesInUse {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Failure::NoThread`].
    pub(super) fn watch(questions: &Arc<Questions>) -> Result<NamesInUse> {
        let names = NamesInUse {
            questions: Arc::clone(questions),
            forget: Arc::default(),
        };
        let (questions, forget) = (Arc::clone(questions), Arc::clone(&names.forget));
        let watching = move || {
            while let Some((directory, name)) = questions.next_idle() {
                if let Some(forget) = forget.get() {
                    forget(directory, &name);
                }
            }
        };
        let thread = thread::Builder::new().name("names".into());
        let started = thread.spawn(watching);
        started.map_err(|error| Failure::NoThread(Arc::new(error)))?;
        Ok(names)
    }
}

impl Drop for NamesInUse {
    fn drop(&mut self) {
        self.questions.end();
    }
}

impl Operations {
    /// Calls `forget` with each name that the kernel should drop. Only the first call counts.
    pub fn on_idle(&self, forget: impl Fn(Directory, &OsStr) + Send + Sync + 'static) {
        let _ = self.names.forget.set(Box::new(forget));
    }

    /// Notes that a handle of the node with this number is open.
    pub fn opened(&self, number: u64) {
        if let Some(number) = inode::question(number) {
            self.names.questions.opened(number);
        }
    }

    /// Notes that a handle of the node with this number is closed.
    pub fn closed(&self, number: u64) {
        if let Some(number) = inode::question(number) {
            self.names.questions.closed(number);
        }
    }
}
