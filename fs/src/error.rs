//! What an operation may answer, and the one table from that to an errno.

use fuser::Errno;
use std::io;
use std::sync::Arc;

/// The result of a file operation.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a file operation failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// No such name, process or table.
    #[error("there is no such file")]
    NotFound,
    /// A file where a directory is needed.
    #[error("not a directory")]
    NotADirectory,
    /// A directory where a file is needed.
    #[error("is a directory")]
    IsADirectory,
    /// The caller may not do that.
    #[error("permission denied")]
    Denied,
    /// Nobody may: the tree is the kernel's.
    #[error("the tree cannot be changed")]
    Unchangeable,
    /// Tables take no writes.
    #[error("a table cannot be written")]
    Unwritable,
    /// A handle that is not open.
    #[error("the handle is not open")]
    BadHandle,
    /// A seek to before what is still kept.
    #[error("the position lies too far back")]
    TooFarBack,
    /// The pass ended inside a record.
    #[error("the pass ended inside a row")]
    Torn,
    /// A fault of ours broke the pass.
    #[error("the pass broke by a fault of iterfs")]
    Broken,
    /// The kernel's tables could not answer.
    #[error(transparent)]
    Tables(Arc<iterfs_bpf::Error>),
}

impl From<iterfs_bpf::Error> for Failure {
    fn from(error: iterfs_bpf::Error) -> Failure {
        Failure::Tables(Arc::new(error))
    }
}

impl Failure {
    /// The errno that the caller sees.
    pub fn errno(&self) -> Errno {
        match self {
            Failure::NotFound => Errno::ENOENT,
            Failure::NotADirectory => Errno::ENOTDIR,
            Failure::IsADirectory => Errno::EISDIR,
            Failure::Denied => Errno::EACCES,
            Failure::Unchangeable => Errno::EPERM,
            Failure::Unwritable | Failure::Torn | Failure::Broken => Errno::EIO,
            Failure::BadHandle => Errno::EBADF,
            Failure::TooFarBack => Errno::ESPIPE,
            Failure::Tables(error) => tables_errno(error),
        }
    }
}

/// The kernel's own errno where it gave one.
fn tables_errno(error: &iterfs_bpf::Error) -> Errno {
    use iterfs_bpf::Error;
    match error {
        Error::NoTarget(_) => Errno::ENOENT,
        Error::NoBtf(_) | Error::OtherPidNamespace | Error::NoTextMode => Errno::EOPNOTSUPP,
        Error::BadObject { .. } => Errno::ENOEXEC,
        Error::Caller(_) => Errno::EACCES,
        Error::Load { source, .. }
        | Error::Attach { source, .. }
        | Error::Pass(source)
        | Error::Reader(source)
        | Error::Cgroups(source)
        | Error::Namespace(source) => os_errno(source),
    }
}

fn os_errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_errno_reaches_the_caller() {
        let refused = iterfs_bpf::Error::Load {
            object: "x".into(),
            source: io::Error::from_raw_os_error(libc::E2BIG),
            log: String::new(),
        };
        assert_eq!(i32::from(Failure::from(refused).errno()), libc::E2BIG);
        let nameless = iterfs_bpf::Error::Pass(io::Error::other("no errno"));
        assert_eq!(i32::from(Failure::from(nameless).errno()), libc::EIO);
    }
}
