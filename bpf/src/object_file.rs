//! Objects that are brought: ELF files with iterator programs.

use crate::error::{Error, Result};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// More than any object of iterator programs takes.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// A file, and which of its programs is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectFile {
    /// The object, as clang or `bpftool gen object` writes it.
    pub path: PathBuf,
    /// The program's function; if none is named, the object holds only one.
    pub program: Option<String>,
}

impl ObjectFile {
    /// What its messages call it.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The ELF bytes.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        let failed = |source| Error::ObjectFile {
            path: self.path.clone(),
            source,
        };
        // Should it be a FIFO, the open must not wait for a writer.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(&self.path)
            .map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(self.bad("it is not a regular file"));
        }
        let mut elf = Vec::new();
        file.take(MAX_SIZE + 1)
            .read_to_end(&mut elf)
            .map_err(failed)?;
        if elf.len() as u64 > MAX_SIZE {
            return Err(self.bad("it is larger than 16 MiB"));
        }
        // What libbpf asks of an ELF file is more, but says less well.
        if !elf.starts_with(b"\x7fELF") {
            return Err(self.bad("it is not an ELF file"));
        }
        Ok(elf)
    }

    pub(crate) fn bad(&self, what: impl Into<String>) -> Error {
        Error::BadObject {
            object: self.name(),
            what: what.into(),
        }
    }
}
