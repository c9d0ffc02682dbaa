//! The errors of the contract.

use crate::query::Fault;
use crate::table::Target;
use std::io;
use std::path::PathBuf;

/// The result of an operation of the contract.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a table cannot be opened, or why a pass or a command fails.
///
/// Each message ends with its cause. The cause is therefore not a [`std::error::Error::source`]
/// as well; otherwise a caller that prints a chain of errors would print it twice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel does not have this target.
    #[error("this kernel has no iterator for {}; Linux {} and newer have one", .0.name, .0.since)]
    NoTarget(Target),

    /// The kernel has no BTF, so libbpf cannot relocate programs for it.
    #[error("this kernel has no BTF at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF): {0}")]
    NoBtf(String),

    /// The daemon runs outside the initial pid namespace. Programs identify their reader by its
    /// thread id in that namespace, which a process of another namespace cannot determine.
    #[error(
        "iterfs works only in the initial pid namespace; run it on the host, or in a container that shares the host's pid namespace (--pid=host)"
    )]
    OtherPidNamespace,

    /// An object's contents are invalid.
    #[error("invalid object {object}: {what}")]
    BadObject {
        /// The object's name.
        object: String,
        /// The fault in the object.
        what: String,
    },

    /// The file of an object cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    ObjectFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },

    /// The process that loads objects cannot be started.
    #[error("cannot start a process to load the object: {0}")]
    ObjectProcess(io::Error),

    /// The process that loads an object ended without a reply.
    #[error("cannot load the object {0}: the process that loads it crashed ({1})")]
    ObjectCrash(String, String),

    /// The process that loads an object took too long.
    #[error("cannot load the object {0}: loading took longer than a minute")]
    ObjectTimeout(String),

    /// An object has no program with this name.
    #[error(
        "{object} has no program '{program}'; its iterator programs are {}",
        list(there)
    )]
    NoProgram {
        /// The object's name.
        object: String,
        /// The requested name.
        program: String,
        /// The names of the object's iterator programs.
        there: Vec<String>,
    },

    /// A program walks another target than its table.
    #[error("the program walks {found}, but this table needs a program for {needed}")]
    OtherTarget {
        /// The target of the table.
        needed: String,
        /// The target of the program.
        found: String,
    },

    /// A target does not support this narrowing.
    #[error("a walk of {0} cannot be narrowed to {1}")]
    Narrowing(String, &'static str),

    /// The kernel cannot narrow a walk over tasks, or over their objects.
    #[error("this kernel cannot narrow a walk to {0}; Linux 6.1 and newer can")]
    NoTaskNarrowing(&'static str),

    /// A target that walks one of many objects needs to know which one.
    #[error("iter/{target} needs {parameter}; for example: {example}")]
    ParameterMissing {
        /// The target that the program walks.
        target: String,
        /// The missing parameter.
        parameter: &'static str,
        /// An example of a command with the parameter.
        example: String,
    },

    /// No map has this id.
    #[error("no BPF map {0}; bpf/maps lists the existing ids")]
    NoMap(u32),

    /// No cgroup has this path.
    #[error("no cgroup {}; cgroup/cgroup.descendants lists the existing ones", .0.display())]
    NoCgroup(PathBuf),

    /// A table in `user` already has this name.
    #[error("user/{0} already exists; unload it first")]
    NameTaken(String),

    /// No table in `user` has this name.
    #[error("no table user/{0}")]
    NoUserTable(String),

    /// A table cannot be pinned, because its program cannot print text.
    #[error("cannot pin {0}: {1}")]
    NoText(String, &'static str),

    /// A table is pinned, so its program must print text.
    #[error("the program of {0} writes records, but the table is pinned; unpin it first")]
    Pinned(String),

    /// A pin shows rows for which a name asked, and no other program knows the question.
    #[error("the pin {0} answers a question, which another program would not know; unpin it first")]
    PinAsks(String),

    /// A pin, or its directory, cannot be created or removed.
    #[error("{}: {cause}", path.display())]
    Pin {
        /// The pin or the directory.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },

    /// The kernel refused to load a program.
    #[error("cannot load the program of {object}: {cause}{}", after_colon(log))]
    Load {
        /// The object's name.
        object: String,
        /// The kernel's error.
        cause: io::Error,
        /// The line of the log that names the reason.
        log: String,
        /// The end of the log of libbpf and the verifier.
        full: String,
    },

    /// The kernel lacks a function that programs need to print text.
    #[error("programs cannot print text on this kernel; that needs bpf_iter_num_new() (Linux 6.4)")]
    NoTextMode,

    /// The kernel refused to attach a program to its target.
    #[error("cannot attach the program of {object}: {cause}")]
    Attach {
        /// The object's name.
        object: String,
        /// The kernel's error.
        cause: io::Error,
    },

    /// The kernel could not start a pass, or ended it early.
    #[error("the pass failed: {0}")]
    Pass(io::Error),

    /// The rows with the largest values take more memory than the reader may use.
    #[error(
        "the rows that top=N:COLUMN holds take too much memory; ask for fewer, or close open files"
    )]
    TooManyRows,

    /// A walk over cgroups produced more output than the kernel's buffer holds.
    #[error(
        "the kernel ends a walk over cgroups after 32 KiB of output; load the program with cgroup=PATH order=each, which walks each cgroup separately"
    )]
    TooManyCgroups,

    /// A summary has more groups than its map can hold.
    #[error("more than {0} groups; a summary cannot count them")]
    TooManyGroups(u32),

    /// A program keeps asking to be called again for the same object.
    #[error(
        "the pass makes no progress: its program always returns 1, which asks for the same object again"
    )]
    Endless,

    /// The settings of a reader cannot be stored in the map of readers.
    #[error("cannot store the settings of a reader: {0}")]
    Reader(io::Error),

    /// A name asks for something that its table does not have.
    #[error(transparent)]
    Question(Fault),

    /// A name asks a table whose program prints text itself.
    #[error(
        "the program of this table prints text itself, so a name cannot ask it anything; open the table without @"
    )]
    PrintsText,

    /// The calling process, or its namespaces, cannot be examined.
    #[error("cannot identify the calling process: {0}")]
    Caller(io::Error),

    /// A map cannot be read.
    #[error("cannot read the map: {0}")]
    Map(io::Error),

    /// The tree of cgroups cannot be read.
    #[error("cannot read the cgroups: {0}")]
    Cgroups(io::Error),

    /// No net namespace that the daemon can find has this inode number.
    #[error("no net namespace {0}")]
    NoNamespace(u32),

    /// The caller's namespace cannot be entered.
    #[error("cannot enter the caller's namespace: {0}")]
    Namespace(io::Error),
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".into(),
        names => names.join(", "),
    }
}

fn after_colon(log: &str) -> String {
    match log.trim_end() {
        "" => String::new(),
        log => format!(": {log}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn every_message_names_its_cause_once() {
        let cause = || io::Error::from_raw_os_error(13);
        let (object, path) = (|| String::from("x.o"), || PathBuf::from("/x"));
        let (log, full) = (String::new, String::new);
        let errors = [
            Error::ObjectFile {
                path: path(),
                cause: cause(),
            },
            Error::ObjectProcess(cause()),
            Error::Pin {
                path: path(),
                cause: cause(),
            },
            Error::Load {
                object: object(),
                cause: cause(),
                log: log(),
                full: full(),
            },
            Error::Attach {
                object: object(),
                cause: cause(),
            },
            Error::Pass(cause()),
            Error::Reader(cause()),
            Error::Caller(cause()),
            Error::Map(cause()),
            Error::Cgroups(cause()),
            Error::Namespace(cause()),
        ];
        for error in errors {
            let message = error.to_string();
            let times = message.matches(&cause().to_string()).count();
            assert_eq!((times, error.source().is_none()), (1, true), "{message}");
        }
    }
}
