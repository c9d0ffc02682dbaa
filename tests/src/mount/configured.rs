//! A mount with a configuration of its own.

use crate::Mount;
use std::fs;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use tempfile::TempDir;

/// A mount, and the file it is configured by.
pub struct Configured {
    mount: Mount,
    directory: TempDir,
}

impl Configured {
    /// A mount with these options, besides a configuration of this text.
    pub fn new(options: &str, text: &str) -> Configured {
        let directory = tempfile::tempdir().expect("a directory for a configuration");
        let file = directory.path().join("iterfs.toml");
        fs::write(&file, text).expect("a configuration");
        let options = format!("{options},config={}", file.display());
        Configured {
            mount: Mount::with_options(&options),
            directory,
        }
    }

    /// The configuration.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("iterfs.toml")
    }

    /// Writes the configuration anew and has it read.
    ///
    /// # Errors
    /// That of the control file.
    pub fn reload(&self, text: &str) -> io::Result<()> {
        fs::write(self.file(), text).expect("a configuration");
        fs::write(self.mount.path("ctl"), "reload")
    }
}

impl Deref for Configured {
    type Target = Mount;

    fn deref(&self) -> &Mount {
        &self.mount
    }
}
