//! Reads the files of user programs.

use iterfs_mapping::contract::ObjectFile;
use iterfs_mapping::error::{Error, Result};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

/// More than any object of iterator programs takes.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// The ELF bytes of an object.
///
/// # Errors
/// [`Error::ObjectFile`] if it cannot be read, [`Error::BadObject`] if it is no regular file,
/// too large, or no ELF file.
pub(crate) fn read(object: &ObjectFile) -> Result<Vec<u8>> {
    let failed = |cause| Error::ObjectFile {
        path: object.path.clone(),
        cause,
    };
    // The open of a FIFO must not wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(&object.path)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(bad(object, "it is not a regular file"));
    }
    let mut elf = Vec::new();
    file.take(MAX_SIZE + 1)
        .read_to_end(&mut elf)
        .map_err(failed)?;
    if elf.len() as u64 > MAX_SIZE {
        return Err(bad(object, "it is larger than 16 MiB"));
    }
    // libbpf would find that out, too, but says it less well.
    if !elf.starts_with(b"\x7fELF") {
        return Err(bad(object, "it is not an ELF file"));
    }
    Ok(elf)
}

/// The error of an object that does not hold what it should.
pub(crate) fn bad(object: &ObjectFile, what: impl Into<String>) -> Error {
    Error::BadObject {
        object: object.name(),
        what: what.into(),
    }
}
