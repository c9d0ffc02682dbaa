//! Reads the files of user programs.

use iterfs_mapping::contract::ObjectFile;
use iterfs_mapping::error::{Error, Result};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

/// The size limit of an object, well above that of any real iterator program.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// The ELF bytes of an object.
///
/// # Errors
/// [`Error::ObjectFile`] if the file cannot be read, [`Error::BadObject`] if it is not a
/// regular file, is too large, or is not an ELF file.
pub(crate) fn read(object: &ObjectFile) -> Result<Vec<u8>> {
    let failed = |cause| Error::ObjectFile {
        path: object.path.clone(),
        cause,
    };
    // Opening a FIFO must not wait for a writer.
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
    // libbpf would detect this too, but with a less helpful message.
    if !elf.starts_with(b"\x7fELF") {
        return Err(bad(object, "it is not an ELF file"));
    }
    Ok(elf)
}

/// The error for an object with invalid contents.
pub(crate) fn bad(object: &ObjectFile, what: impl Into<String>) -> Error {
    Error::BadObject {
        object: object.name(),
        what: what.into(),
    }
}
