//! What can go wrong between a path and its rows.

use crate::table::Target;
use std::io;
use std::path::PathBuf;

/// The result of asking the kernel for something.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a table cannot be opened, or a pass goes no further.
///
/// A message ends with its cause, so the cause is not a [`std::error::Error::source`] as
/// well: whoever prints a chain of errors would print it twice.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel does not walk this target.
    #[error("this kernel has no iterator for {} (Linux {} has)", .0.name, .0.since)]
    NoTarget(Target),

    /// The kernel does not describe its types, so no program can be fitted to it.
    #[error("this kernel has no BTF at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF): {0}")]
    NoBtf(String),

    /// Programs know their reader by its thread's id in the initial pid namespace,
    /// which a process of another cannot tell.
    #[error(
        "iterfs works in the initial pid namespace alone; run it on the host, or in a container that shares the host's (--pid=host)"
    )]
    OtherPidNamespace,

    /// An object does not hold what it should.
    #[error("the object {object} cannot be used: {what}")]
    BadObject {
        /// The object's name.
        object: String,
        /// What is wrong with it.
        what: String,
    },

    /// An object's file cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    ObjectFile {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },

    /// The process that loads objects could not be started.
    #[error("no process can be started to load the object: {0}")]
    ObjectProcess(io::Error),

    /// The process that loads an object ended without an answer.
    #[error("the object {0} cannot be used: the process that loaded it crashed ({1})")]
    ObjectCrash(String, String),

    /// The process that loads an object took too long.
    #[error("the object {0} cannot be used: loading it took longer than a minute")]
    ObjectTimeout(String),

    /// An object has no such program.
    #[error(
        "{object} has no program '{program}'; its iterator programs are {}",
        list(there)
    )]
    NoProgram {
        /// The object's name.
        object: String,
        /// What was asked for.
        program: String,
        /// What it has.
        there: Vec<String>,
    },

    /// A program that does not walk what its place asks for.
    #[error("the program walks {found}, and this table needs one for {needed}")]
    OtherTarget {
        /// What the table walks.
        needed: String,
        /// What the program is for.
        found: String,
    },

    /// A walk that cannot be narrowed as it was asked to.
    #[error("the walk of {0} cannot be narrowed to {1}")]
    Narrowing(String, &'static str),

    /// A target that walks one thing of many, and was not told which.
    #[error("iter/{target} needs {parameter}; for example: {example}")]
    ParameterMissing {
        /// The target that the program walks.
        target: String,
        /// The parameter that is missing.
        parameter: &'static str,
        /// A command with it.
        example: String,
    },

    /// A map that does not exist.
    #[error("there is no BPF map {0}; bpf/maps lists the ids of those that there are")]
    NoMap(u32),

    /// A cgroup that does not exist.
    #[error("there is no cgroup {}; cgroup/cgroup.descendants lists those that there are", .0.display())]
    NoCgroup(PathBuf),

    /// A name that is taken.
    #[error("user/{0} already exists; unload it first")]
    NameTaken(String),

    /// A name that no table has.
    #[error("there is no user/{0}")]
    NoUserTable(String),

    /// A table whose program cannot print text, so that a pin of it would be of no use.
    #[error("{0} cannot be pinned: {1}")]
    NoText(String, &'static str),

    /// A table that is pinned, so that its program must print text.
    #[error("the program of {0} writes records, and the table is pinned; unpin it first")]
    Pinned(String),

    /// The pin, or the directory for it, cannot be made or removed.
    #[error("{}: {cause}", path.display())]
    Pin {
        /// The pin or directory.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },

    /// The kernel refused the program.
    #[error("the program of {object} does not load: {cause}{}", after_colon(log))]
    Load {
        /// The object's name.
        object: String,
        /// The kernel's answer.
        cause: io::Error,
        /// What it comes down to.
        log: String,
        /// The end of what libbpf and the verifier said.
        full: String,
    },

    /// The kernel lacks what programs need to print text.
    #[error("this kernel's programs cannot print text (Linux 6.4 has bpf_iter_num_new())")]
    NoTextMode,

    /// The kernel refused to link the program to its target.
    #[error("the program of {object} does not attach: {cause}")]
    Attach {
        /// The object's name.
        object: String,
        /// The kernel's answer.
        cause: io::Error,
    },

    /// The kernel refused to start a pass, or broke it off.
    #[error("the pass cannot go on: {0}")]
    Pass(io::Error),

    /// A walk over cgroups gave more than the kernel's buffer holds.
    #[error(
        "the kernel ends a walk over cgroups after 32 KiB of output; load the program with cgroup=PATH order=each, for a walk of each cgroup"
    )]
    TooManyCgroups,

    /// A summary has more groups than are counted.
    #[error("there are more than {0} groups to count")]
    TooManyGroups(u32),

    /// A program that asks again and again to be called for the same object.
    #[error("the pass does not get on: its program returns 1, to be called again, each time")]
    Endless,

    /// The settings of a reader could not be handed to the program.
    #[error("a reader's settings cannot be stored: {0}")]
    Reader(io::Error),

    /// The calling process cannot be seen, so neither can its namespaces.
    #[error("the calling process cannot be identified: {0}")]
    Caller(io::Error),

    /// A map could not be looked into.
    #[error("the map cannot be read: {0}")]
    Map(io::Error),

    /// The tree of cgroups could not be looked into.
    #[error("the cgroups cannot be read: {0}")]
    Cgroups(io::Error),

    /// No such net namespace, or none that can be found.
    #[error("there is no net namespace {0}")]
    NoNamespace(u32),

    /// The caller's namespace could not be entered.
    #[error("the caller's namespace cannot be entered: {0}")]
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
    fn a_cause_is_told_once() {
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
            let told = message.matches(&cause().to_string()).count();
            assert_eq!((told, error.source().is_none()), (1, true), "{message}");
        }
    }
}
