//! The one way in which tests start a daemon in the foreground.

use super::{Mount, server::Server};
use crate::fixtures::mounted::Mounted;
use crate::fixtures::programs;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// How to mount.
#[derive(Debug)]
pub struct Mounting {
    program: Command,
    options: Vec<String>,
    configuration: Option<Configuration>,
}

/// A configuration of a mount's own, in a directory that goes when dropped.
#[derive(Debug)]
pub struct Configuration(TempDir);

impl Configuration {
    /// Its file.
    pub fn file(&self) -> PathBuf {
        self.0.path().join("iterfs.toml")
    }

    /// Writes it anew.
    pub fn write(&self, text: &str) {
        fs::write(self.file(), text).expect("a configuration");
    }
}

impl Mounting {
    /// With the default options.
    pub fn new() -> Mounting {
        Mounting::by(Command::new(programs::iterfs()))
    }

    /// The same, where iterfs is the last argument of another command.
    pub fn by(program: Command) -> Mounting {
        Mounting {
            program,
            options: Vec::new(),
            configuration: None,
        }
    }

    /// Adds options of `-o`, such as `gid=42,mode=0440`; none by an empty text.
    #[must_use]
    pub fn options(mut self, options: &str) -> Mounting {
        let given = (!options.is_empty()).then(|| options.to_owned());
        self.options.extend(given);
        self
    }

    /// Adds a configuration of this text.
    #[must_use]
    pub fn configuration(mut self, text: &str) -> Mounting {
        let directory = tempfile::tempdir().expect("a directory for a configuration");
        let configuration = Configuration(directory);
        configuration.write(text);
        let option = format!("config={}", configuration.file().display());
        self.configuration = Some(configuration);
        self.options(&option)
    }

    /// Mounts on a new directory.
    pub fn mount(mut self) -> Mount {
        let configuration = self.configuration.take();
        let directory = Mounted::unmounted();
        let server = self.serve(directory.path());
        Mount::of(server, directory, configuration)
    }

    /// Mounts on a directory that is there.
    pub fn serve(self, directory: &Path) -> Server {
        Server::start(self.command(directory))
    }

    /// Only the command that would mount on a directory.
    pub fn command(mut self, directory: &Path) -> Command {
        self.program.args(["mount", "-f"]);
        if !self.options.is_empty() {
            self.program.args(["-o", &self.options.join(",")]);
        }
        self.program.arg(directory);
        self.program
    }
}

impl Default for Mounting {
    fn default() -> Self {
        Self::new()
    }
}
