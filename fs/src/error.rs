//! What an operation may answer, and the one table from that to an errno.

use crate::access::config::ConfigError;
use crate::control::command::CommandError;
use fuser::Errno;
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The result of a file operation.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a file operation failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// No such name, process or table.
    #[error("no such file")]
    NotFound,
    /// Not a symbolic link.
    #[error("not a symbolic link")]
    NotALink,
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
    #[error("the position is too far back; the daemon no longer keeps these bytes")]
    TooFarBack,
    /// The thread through which a file with many passes was opened has exited.
    #[error("the thread that opened the file has exited; open the file again")]
    Gone,
    /// io_uring reads where it has read, so perhaps from a position that did not move.
    #[error("io_uring reads at the same offset again; give each read its own offset")]
    Unmoved,
    /// The pass ended inside a record.
    #[error("the pass ended inside a row")]
    Torn,
    /// A fault of ours broke the pass.
    #[error("internal error in iterfs")]
    Broken,
    /// A path that leads to no table.
    #[error("no table '{0}'")]
    NoTable(String),
    /// A path that leads to something else, or names a format.
    #[error("'{0}' is not a table; give its path without a format, such as net/tcp")]
    NotATable(String),
    /// A path whose name asks, where a table is needed.
    #[error("'{0}' asks a table; give the path of the table alone, such as net/tcp")]
    Asks(String),
    /// A table that has no program of its own to go back to.
    #[error("'{0}' has no program of its own; update it from an object")]
    NoDefault(String),
    /// A table of which no pin is there.
    #[error("'{0}' is not pinned")]
    NotPinned(String),
    /// What was written to the control file is no command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A directory of programs that is not root's alone, or not there.
    #[error("invalid directory of programs {}: {what}", path.display())]
    ProgramDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong, and how to mend it.
        what: String,
        /// The kernel's errno, or EPERM for a directory that is not root's alone.
        errno: Errno,
    },
    /// Several failures of one command, at least one. The errno is the first's.
    #[error("{} failures: {}", .0.len(), joined(.0))]
    Several(Vec<Failure>),
    /// The configuration cannot be taken.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The user has as many files open as it may.
    #[error("the user has too many files open on this mount")]
    TooManyOpen,
    /// The user holds as many names that ask as it may.
    #[error(
        "the user's descriptors hold {0} names that ask, and may hold no more; \
         close some, or raise [quota] handles"
    )]
    TooManyNames(u64),
    /// The daemon has hardly any descriptors left.
    #[error("the daemon is short of descriptors ({0}); raise its limit of open files")]
    NoDescriptors(rustix::io::Errno),
    /// The user has as many bytes kept as it may.
    #[error("the user's open files take too much memory; close some, or try again later")]
    TooMuchKept,
    /// A file that should be made whole takes more memory than its user may use.
    #[error(
        "the file is too large to be made whole in the user's memory; \
         ask for fewer rows or columns, or read it without 'whole'"
    )]
    TooLarge,
    /// The kernel keeps the pass waiting, and its reader has waited long enough.
    #[error(
        "no row came in 10 seconds: a process keeps its memory map locked, \
         and the kernel waits for it; try again later"
    )]
    HeldUp,
    /// Threads that the mount needs cannot be started.
    #[error("cannot start a thread: {0}; raise the limit of processes (pids.max, ulimit -u)")]
    NoThread(Arc<io::Error>),
    /// The kernel's tables could not answer.
    #[error(transparent)]
    Tables(Arc<iterfs_mapping::Error>),
}

impl From<iterfs_mapping::Error> for Failure {
    fn from(error: iterfs_mapping::Error) -> Failure {
        Failure::Tables(Arc::new(error))
    }
}

impl Failure {
    /// The errno that the caller sees.
    pub fn errno(&self) -> Errno {
        match self {
            Failure::NotFound => Errno::ENOENT,
            Failure::NotALink => Errno::EINVAL,
            Failure::NotADirectory => Errno::ENOTDIR,
            Failure::IsADirectory => Errno::EISDIR,
            Failure::Denied => Errno::EACCES,
            Failure::Unchangeable => Errno::EPERM,
            Failure::Unwritable | Failure::Torn | Failure::Broken => Errno::EIO,
            Failure::BadHandle => Errno::EBADF,
            Failure::TooFarBack => Errno::ESPIPE,
            Failure::Gone => Errno::ESRCH,
            // Not EAGAIN or EOPNOTSUPP, after which io_uring tries again for ever.
            Failure::Unmoved => Errno::ESPIPE,
            Failure::NoTable(_) | Failure::NotPinned(_) => Errno::ENOENT,
            Failure::NotATable(_) | Failure::Asks(_) | Failure::NoDefault(_) => Errno::EINVAL,
            Failure::Config(error) => error.errno.map_or(Errno::EINVAL, Errno::from_i32),
            Failure::TooManyOpen | Failure::TooManyNames(_) => Errno::EMFILE,
            Failure::NoDescriptors(_) => Errno::ENFILE,
            Failure::TooMuchKept => Errno::ENOMEM,
            Failure::TooLarge => Errno::EFBIG,
            Failure::HeldUp => Errno::ETIMEDOUT,
            Failure::NoThread(source) => os_errno(source),
            Failure::ProgramDirectory { errno, .. } => *errno,
            Failure::Several(failures) => failures.first().map_or(Errno::EIO, Failure::errno),
            Failure::Command(CommandError::TooLong) => Errno::EMSGSIZE,
            Failure::Command(CommandError::NotText) => Errno::EILSEQ,
            Failure::Command(_) => Errno::EINVAL,
            Failure::Tables(error) => tables_errno(error),
        }
    }
}

impl Failure {
    /// The errno's name, such as ENOENT.
    pub(crate) fn errno_name(&self) -> String {
        format!("{:?}", nix::errno::Errno::from_raw(self.errno().into()))
    }

    /// All of these as one; none if there are none.
    pub(crate) fn all(mut failures: Vec<Failure>) -> Option<Failure> {
        match failures.len() {
            0 | 1 => failures.pop(),
            _ => Some(Failure::Several(failures)),
        }
    }

    /// What libbpf and the verifier said of programs that did not load.
    pub(crate) fn verifier_log(&self) -> Option<Cow<'_, str>> {
        match self {
            Failure::Tables(error) => match &**error {
                iterfs_mapping::Error::Load { full, .. } => Some(full.into()),
                _ => None,
            },
            Failure::Several(failures) => {
                let logs = failures.iter().filter_map(Failure::verifier_log);
                let logs = logs.collect::<String>();
                (!logs.is_empty()).then_some(logs.into())
            }
            _ => None,
        }
    }
}

fn joined(failures: &[Failure]) -> String {
    let failures = failures
        .iter()
        .map(|failure| format!("{}: {failure}", failure.errno_name()));
    failures.collect::<Vec<_>>().join("; ")
}

/// The kernel's own errno where it gave one.
fn tables_errno(error: &iterfs_mapping::Error) -> Errno {
    use iterfs_mapping::Error;
    match error {
        Error::NoTarget(_)
        | Error::NoUserTable(_)
        | Error::NoNamespace(_)
        | Error::NoProgram { .. } => Errno::ENOENT,
        Error::NoMap(_) | Error::NoCgroup(_) => Errno::ENOENT,
        Error::OtherTarget { .. }
        | Error::Narrowing(..)
        | Error::ParameterMissing { .. }
        | Error::Question(_)
        | Error::PrintsText => Errno::EINVAL,
        Error::NameTaken(_) => Errno::EEXIST,
        Error::NoText(..)
        | Error::NoTextMode
        | Error::NoTaskNarrowing(_)
        | Error::Pinned(_)
        | Error::PinAsks(_)
        | Error::TooManyCgroups => Errno::EOPNOTSUPP,
        Error::Endless => Errno::ELOOP,
        Error::NoBtf(_) | Error::OtherPidNamespace => Errno::EOPNOTSUPP,
        Error::BadObject { .. } | Error::ObjectCrash(..) => Errno::ENOEXEC,
        Error::ObjectTimeout(_) => Errno::ETIMEDOUT,
        Error::Caller(_) => Errno::EACCES,
        Error::TooManyGroups(_) => Errno::E2BIG,
        Error::TooManyRows => Errno::ENOMEM,
        Error::Load { cause, .. }
        | Error::Attach { cause, .. }
        | Error::ObjectFile { cause, .. }
        | Error::ObjectProcess(cause)
        | Error::Pin { cause, .. }
        | Error::Pass(cause)
        | Error::Reader(cause)
        | Error::Map(cause)
        | Error::Cgroups(cause)
        | Error::Namespace(cause) => os_errno(cause),
    }
}

/// The errno of an error, or the one that its kind stands for.
pub(crate) fn os_errno(error: &io::Error) -> Errno {
    if let Some(errno) = error.raw_os_error() {
        return Errno::from_i32(errno);
    }
    match error.kind() {
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::PermissionDenied => Errno::EACCES,
        io::ErrorKind::AlreadyExists => Errno::EEXIST,
        io::ErrorKind::WouldBlock => Errno::EAGAIN,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Errno::EINVAL,
        io::ErrorKind::TimedOut => Errno::ETIMEDOUT,
        io::ErrorKind::Unsupported => Errno::EOPNOTSUPP,
        io::ErrorKind::OutOfMemory => Errno::ENOMEM,
        _ => Errno::EIO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_errno_reaches_the_caller() {
        let refused = iterfs_mapping::Error::Load {
            object: "x".into(),
            cause: io::Error::from_raw_os_error(libc::E2BIG),
            log: String::new(),
            full: String::new(),
        };
        assert_eq!(i32::from(Failure::from(refused).errno()), libc::E2BIG);
        let pass = |error: io::Error| {
            let failure = Failure::from(iterfs_mapping::Error::Pass(error));
            i32::from(failure.errno())
        };
        assert_eq!(pass(io::ErrorKind::TimedOut.into()), libc::ETIMEDOUT);
        let out_of_memory = io::Error::new(io::ErrorKind::OutOfMemory, "no errno");
        assert_eq!(pass(out_of_memory), libc::ENOMEM);
        assert_eq!(pass(io::Error::other("neither")), libc::EIO);
    }
}
