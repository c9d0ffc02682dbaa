//! Whether a file may decide about access: the configuration, and objects of user programs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Permission bits that let users other than the owner write.
const WRITABLE: u32 = 0o022;

/// Whether a file belongs to a user other than root and the user that this process runs as.
pub(crate) fn is_owned_by_another(metadata: &Metadata) -> bool {
    let owner = metadata.uid();
    owner != 0 && owner != rustix::process::geteuid().as_raw()
}

/// Whether users other than the owner may write to a file.
pub(crate) fn is_writable_by_others(metadata: &Metadata) -> bool {
    metadata.mode() & WRITABLE != 0
}
