//! A mount of its own for each test.

pub mod automounter;
pub mod control;
pub mod daemon;
pub mod installed;
pub mod mounting;
pub mod pins;
pub mod server;

use crate::fixtures::mounted::Mounted;
use mounting::{Configuration, Mounting};
use server::Server;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One row, as its JSON object.
pub type Row = serde_json::Map<String, serde_json::Value>;

/// A mounted tree, served by a daemon of its own until dropped.
#[derive(Debug)]
pub struct Mount {
    // First: the daemon unmounts. One that crashed has left its mount to the directory.
    server: Server,
    directory: Mounted,
    configuration: Option<Configuration>,
}

impl Mount {
    /// A mount with the default options.
    pub fn new() -> Mount {
        Mounting::new().mount()
    }

    /// A mount with the options of `-o`.
    pub fn with_options(options: &str) -> Mount {
        Mounting::new().options(options).mount()
    }

    /// A mount with the options of `-o`, and a configuration of this text.
    pub fn configured(options: &str, text: &str) -> Mount {
        Mounting::new().options(options).configuration(text).mount()
    }

    fn of(server: Server, directory: Mounted, configuration: Option<Configuration>) -> Mount {
        let mount = Mount {
            server,
            directory,
            configuration,
        };
        assert!(
            mount.path("tasks").exists(),
            "nothing mounted: {:?}",
            mount.log()
        );
        mount
    }

    /// The mounted directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A path below the mount.
    pub fn path(&self, below: &str) -> PathBuf {
        self.directory().join(below)
    }

    /// The daemon's process id.
    pub fn daemon(&self) -> u32 {
        self.server.daemon().0
    }

    /// The lines that the daemon has logged so far.
    pub fn log(&self) -> Vec<String> {
        self.server.log()
    }

    /// The file by which a mount made by [`Mount::configured`] is configured.
    pub fn configuration(&self) -> PathBuf {
        self.own_configuration().file()
    }

    /// Writes that file anew and has it read.
    ///
    /// # Errors
    /// If the control file refuses the command.
    pub fn reload(&self, text: &str) -> io::Result<()> {
        self.own_configuration().write(text);
        fs::write(self.path("ctl"), "reload")
    }

    fn own_configuration(&self) -> &Configuration {
        let own = self.configuration.as_ref();
        own.expect("a mount with a configuration of its own")
    }

    /// The bytes of a file, read to its end.
    pub fn read(&self, below: &str) -> Vec<u8> {
        let path = self.path(below);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The text of a file.
    pub fn text(&self, below: &str) -> String {
        String::from_utf8(self.read(below)).expect("tables are UTF-8")
    }

    /// The rows of a table, such as `tasks` or `pid/1/files`.
    pub fn rows(&self, table: &str) -> Vec<Row> {
        self.text(&format!("{table}.jsonl"))
            .lines()
            .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
            .collect()
    }
}

impl Default for Mount {
    fn default() -> Self {
        Self::new()
    }
}
