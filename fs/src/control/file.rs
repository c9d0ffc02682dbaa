//! An open control file.
//!
//! The file is a stream: each read continues where the last one ended, whatever its offset.
//! A write replaces the unread bytes with the outcome of its command.

use super::Control;
use super::report;
use crate::error::{Failure, Result};
use iterfs_mapping::Control as Form;
use parking_lot::Mutex;

/// The bytes of one open control file.
pub(crate) struct ControlFile {
    form: Form,
    rest: Mutex<Option<Vec<u8>>>,
}

impl ControlFile {
    pub(crate) fn new(form: Form) -> ControlFile {
        ControlFile {
            form,
            rest: Mutex::new(None),
        }
    }

    /// Which of the two control files this is.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// The next bytes of the report, or of a command's outcome; at most `size`.
    pub(crate) fn read(&self, control: &Control, size: usize) -> Result<Vec<u8>> {
        let told = self.rest.lock().is_some();
        if !told {
            // Asking the kernel takes a while, so do it without the lock.
            let report = match self.form {
                Form::Text => report::text(control)?,
                Form::Json => report::json(control)?,
            };
            self.rest.lock().get_or_insert(report);
        }
        let mut rest = self.rest.lock();
        let rest = rest.get_or_insert_default();
        let after = rest.split_off(size.min(rest.len()));
        Ok(std::mem::replace(rest, after))
    }

    /// Runs a command, and keeps its outcome for the next read.
    pub(crate) fn write(&self, control: &Control, offset: u64, bytes: &[u8]) -> Result<()> {
        if self.form == Form::Json {
            return Err(Failure::Unwritable);
        }
        let done = match offset {
            0 => control.execute(bytes),
            _ => Err(Failure::Command(super::command::CommandError::Offset)),
        };
        let (told, result) = match done {
            Ok(line) => (report::one_line(&line) + "\n", Ok(())),
            Err(failure) => (report::failure(&failure), Err(failure)),
        };
        *self.rest.lock() = Some(told.into_bytes());
        result
    }
}
