//! The pins of a mount.

use crate::fixtures::mounted::Mounted;
use crate::fixtures::netns::run;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A directory for pins, on which a daemon mounts a bpffs when it
/// first pins something. The pins go with it.
#[derive(Debug)]
pub struct Pins(Mounted);

impl Pins {
    /// A new, empty directory.
    pub fn new() -> Pins {
        Pins(Mounted::unmounted())
    }

    /// One that is a bpffs already.
    pub fn mounted() -> Pins {
        Pins(Mounted::bpffs())
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
        self.0.join(pin)
    }

    /// The text that a pin prints. Unlike the daemon, a pin prints bytes that are not UTF-8 as
    /// they are, and other tests have files open with such names.
    pub fn text(&self, pin: &str) -> String {
        let text = std::fs::read(self.path(pin));
        let text = text.unwrap_or_else(|error| unreachable!("{pin}: {error}"));
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Default for Pins {
    fn default() -> Self {
        Self::new()
    }
}
