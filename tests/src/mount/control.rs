//! A mount whose control file a test writes to, with pins of its own.

use super::daemon::Daemon;
use super::mounting::Mounting;
use super::pins::Pins;
use crate::Mount;
use crate::errno::errno_of;
use crate::fixtures::netns::run;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

/// A mount, and the directory its daemon pins below.
pub struct Control {
    mount: Mount,
    pins: Pins,
}

/// A command that was refused.
#[derive(Debug)]
pub struct Refused {
    /// The write's errno.
    pub errno: i32,
    /// The text read from the file after the write.
    pub told: String,
}

impl Control {
    /// A mount with pins in a new directory.
    pub fn new() -> Control {
        Control::with_pins(Pins::new(), "")
    }

    /// The same, with a directory of programs.
    pub fn with_programs(directory: &Path) -> Control {
        Control::with_pins(Pins::new(), &format!("programs={}", directory.display()))
    }

    /// A mount with these pins and options.
    pub fn with_pins(pins: Pins, options: &str) -> Control {
        let own = format!("pins={}", pins.directory().display());
        let mount = Mounting::new().options(&own).options(options).mount();
        Control { mount, pins }
    }

    /// Ends the mount and leaves its pins.
    pub fn end(self) -> Pins {
        drop(self.mount);
        self.pins
    }

    /// The mount.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// The pins.
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The control file, to read and write.
    pub fn open(&self) -> File {
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).open(self.mount.path("ctl"));
        opened.expect("root opens the control file")
    }

    /// Writes a command; what the same descriptor then reads.
    ///
    /// # Errors
    /// The write's, with what was told.
    pub fn try_command(&self, command: impl AsRef<[u8]>) -> Result<String, Refused> {
        write(&mut self.open(), command.as_ref())
    }

    /// A command that must succeed.
    pub fn command(&self, command: &str) -> String {
        let done = self.try_command(command);
        done.unwrap_or_else(|refused| unreachable!("{command}: {refused:?}"))
    }

    /// A command that must fail with this errno; what is told.
    pub fn refused(&self, command: &str, errno: i32) -> String {
        match self.try_command(command) {
            Err(refused) if refused.errno == errno => refused.told,
            other => unreachable!("{command}: {other:?}, expected errno {errno}"),
        }
    }

    /// The report that a fresh read returns.
    pub fn report(&self) -> String {
        self.mount.text("ctl")
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.mount.read("ctl.json")).expect("JSON")
    }

    /// The id of the one map of that name which the daemon's programs use.
    pub fn map(&self, name: &str) -> u64 {
        let programs = Daemon(self.mount.daemon()).ids("prog_id");
        let shown = programs.into_iter().map(|id| {
            let shown = run(&format!("bpftool -j prog show id {id}"));
            let shown: Value = serde_json::from_str(&shown).expect("bpftool's JSON");
            shown["map_ids"].clone()
        });
        let used: Vec<Value> = shown
            .filter_map(|ids| ids.as_array().cloned())
            .flatten()
            .collect();
        let rows = self.mount.rows("bpf/maps");
        let ids = rows.iter().filter(|row| row["name"] == name);
        let ids: BTreeSet<_> = ids
            .filter(|row| used.contains(&row["id"]))
            .filter_map(|row| row["id"].as_u64())
            .collect();
        assert_eq!(ids.len(), 1, "{name}: {ids:?}");
        ids.into_iter().next().expect("an id")
    }

    /// The lines of a path in that: its table's, or its pins'.
    pub fn lines(&self, path: &str, pinned: bool) -> Vec<Value> {
        let report = self.json();
        let lines = report["tables"].as_array().expect("tables").iter();
        let of_path = lines.filter(|line| line["path"] == path);
        of_path
            .filter(|line| line["pin"].is_null() != pinned)
            .cloned()
            .collect()
    }

    /// The one line of a table.
    pub fn line(&self, path: &str) -> Value {
        let lines = self.lines(path, false);
        assert_eq!(lines.len(), 1, "{path}: {lines:?}");
        lines[0].clone()
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a command to an open control file; what it then reads.
///
/// # Errors
/// The write's, with what was told.
pub fn write(file: &mut File, command: &[u8]) -> Result<String, Refused> {
    let written = match file.write(command) {
        Ok(bytes) => {
            assert_eq!(bytes, command.len(), "a command is taken whole");
            Ok(())
        }
        Err(error) => Err(error),
    };
    let mut told = String::new();
    file.read_to_string(&mut told).expect("the outcome is text");
    match written {
        Ok(()) => Ok(told),
        Err(error) => Err(Refused {
            errno: errno_of(&error),
            told,
        }),
    }
}
