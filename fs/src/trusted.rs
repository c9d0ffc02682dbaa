//! Whether a file may decide about rights: the configuration, and objects of programs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Permission bits that let others than the owner write.
const WRITABLE: u32 = 0o022;

/// Whether a file belongs to somebody other than root and the user whom this process runs
/// as.
pub(crate) fn is_owned_by_another(metadata: &Metadata) -> bool {
    let owner = metadata.uid();
    owner != 0 && owner != rustix::process::geteuid().as_raw()
}

/// Whether others than the owner may write to a file.
pub(crate) fn is_writable_by_others(metadata: &Metadata) -> bool {
    metadata.mode() & WRITABLE != 0
}
