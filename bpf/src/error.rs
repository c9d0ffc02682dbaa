//! What can go wrong between a path and its rows.

use iterfs_mapping::Target;
use std::io;

/// The result of asking the kernel for something.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a table cannot be opened, or a pass goes no further.
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

    /// The kernel refused the program.
    #[error("the program of {object} does not load: {source}{}", after_colon(log))]
    Load {
        /// The object's name.
        object: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
        /// The end of what libbpf and the verifier said.
        log: String,
    },

    /// The kernel lacks what programs need to print text.
    #[error("this kernel's programs cannot print text (Linux 6.4 has bpf_iter_num_new())")]
    NoTextMode,

    /// The kernel refused to link the program to its target.
    #[error("the program of {object} does not attach: {source}")]
    Attach {
        /// The object's name.
        object: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },

    /// The kernel refused to start a pass, or broke it off.
    #[error("the pass cannot go on: {0}")]
    Pass(#[source] io::Error),

    /// The settings of a reader could not be handed to the program.
    #[error("a reader's settings cannot be stored: {0}")]
    Reader(#[source] io::Error),

    /// The calling process cannot be seen, so neither can its namespaces.
    #[error("the calling process cannot be identified: {0}")]
    Caller(#[source] io::Error),

    /// The tree of cgroups could not be looked into.
    #[error("the cgroups cannot be read: {0}")]
    Cgroups(#[source] io::Error),

    /// The caller's namespace could not be entered.
    #[error("the caller's namespace cannot be entered: {0}")]
    Namespace(#[source] io::Error),
}

fn after_colon(log: &str) -> String {
    match log.trim_end() {
        "" => String::new(),
        log => format!(": {log}"),
    }
}
