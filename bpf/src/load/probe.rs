//! What the running kernel has: targets, and what decides about rights.

use crate::host::callers::Callers;
use crate::load::rights::{self, Undecided};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::{Target, layout};
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;
use std::ffi::OsStr;

/// What the kernel's BTF says about it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The targets that it has.
    pub targets: Vec<Target>,
    /// What the programs cannot decide, and so hide.
    pub undecided: Vec<Undecided>,
}

/// Looks at the running kernel.
///
/// # Errors
/// [`Error::NoBtf`] if it has no BTF, and so can fit no program to itself.
pub fn facts() -> Result<Facts> {
    let btf = Btf::from_vmlinux().map_err(|error| Error::NoBtf(error.to_string()))?;
    Ok(Facts {
        targets: targets(&btf),
        undecided: rights::undecided(&btf),
    })
}

/// Whether this process is in the initial pid namespace, without which no mount works.
pub fn is_in_initial_pid_namespace() -> bool {
    Callers::new().is_ok_and(|callers| callers.daemon().is_in_initial_pid_namespace())
}

/// The targets that BTF declares.
fn targets(btf: &Btf<'_>) -> Vec<Target> {
    // DEFINE_BPF_ITER_FUNC() declares a function for each target, and a program
    // attaches to it by its type id. Looked for among functions alone: a struct
    // may have the same name, as bpf_iter_task has.
    let mut here = Vec::new();
    for function in btf.type_by_kind::<Func<'_>>() {
        let name = function.name().and_then(OsStr::to_str);
        if let Some(name) = name.and_then(|name| name.strip_prefix("bpf_iter_")) {
            here.extend(layout::targets().filter(|target| target.name == name));
        }
    }
    here
}
