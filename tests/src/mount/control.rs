//! A mount whose control file a test writes to, with pins of its own.

use crate::Mount;
use crate::fixtures::netns::run;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A mount, and the directory its daemon pins below.
pub struct Control {
    mount: Mount,
    pins: Pins,
}

/// Where links are pinned: a directory that a daemon makes a bpffs of when it
/// first pins something. The pins go with it.
pub struct Pins(TempDir);

/// A command that was refused.
#[derive(Debug)]
pub struct Refused {
    /// The write's errno.
    pub errno: i32,
    /// What the file says of it after the write.
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
        let options = [&own, options].join(",");
        let mount = Mount::with_options(options.trim_end_matches(','));
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

    /// What a fresh read tells.
    pub fn report(&self) -> String {
        self.mount.text("ctl")
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.mount.read("ctl.json")).expect("JSON")
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
            errno: errno(&error),
            told,
        }),
    }
}

/// A system call's errno.
pub fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().expect("a system call's error")
}

impl Pins {
    /// A new, empty directory.
    pub fn new() -> Pins {
        let directory = tempfile::Builder::new().prefix("iterfs-pins-").tempdir();
        Pins(directory.expect("a directory"))
    }

    /// One that is a bpffs already.
    pub fn mounted() -> Pins {
        let pins = Pins::new();
        let kind = Some("bpf");
        let mounted = mount(kind, pins.directory(), kind, MsFlags::empty(), None::<&str>);
        mounted.expect("a bpffs");
        pins
    }

    /// Makes a map in it as bpftool does, with keys of four bytes and values of
    /// eight; its id.
    pub fn map(&self, name: &str, kind: &str, entries: &[(u32, u64)]) -> u64 {
        let path = self.path(name);
        let at = path.display();
        run(&format!("bpftool map create {at} type {kind} name {name}"));
        let words = |bytes: &[u8]| -> String {
            let words = bytes.iter().map(u8::to_string);
            words.collect::<Vec<_>>().join(" ")
        };
        for (key, value) in entries {
            let (key, value) = (words(&key.to_le_bytes()), words(&value.to_le_bytes()));
            run(&format!(
                "bpftool map update pinned {at} key {key} value {value}"
            ));
        }
        let shown = run(&format!("bpftool -j map show pinned {at}"));
        let shown: Value = serde_json::from_str(&shown).expect("bpftool's JSON");
        shown["id"].as_u64().expect("an id")
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    /// Where a pin is.
    pub fn path(&self, pin: &str) -> PathBuf {
        self.directory().join(pin)
    }

    /// What a pin prints.
    pub fn text(&self, pin: &str) -> String {
        let text = std::fs::read_to_string(self.path(pin));
        text.unwrap_or_else(|error| unreachable!("{pin}: {error}"))
    }
}

impl Default for Pins {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        while umount2(self.0.path(), MntFlags::MNT_DETACH).is_ok() {}
    }
}
