//! Probes the running kernel: its targets, and the fields on which access decisions depend.

use crate::host::callers::Callers;
use crate::load::rights::{self, Undecided};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::{Target, layout};
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::{Func, Struct};
use std::ffi::OsStr;
use std::sync::OnceLock;

/// Facts from the kernel's BTF.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The targets of this kernel.
    pub targets: Vec<Target>,
    /// The access decisions that programs cannot make on this kernel, so that they hide the
    /// objects.
    pub undecided: Vec<Undecided>,
}

/// Probes the running kernel.
///
/// # Errors
/// [`Error::NoBtf`] if it has no BTF; programs cannot be relocated then.
pub fn facts() -> Result<Facts> {
    let btf = Btf::from_vmlinux().map_err(|error| Error::NoBtf(error.to_string()))?;
    Ok(Facts {
        targets: targets(&btf),
        undecided: rights::undecided(&btf),
    })
}

/// Whether the running kernel has a target.
pub(crate) fn has_target(target: Target) -> bool {
    Btf::from_vmlinux().is_ok_and(|btf| targets(&btf).contains(&target))
}

/// Whether this process is in the initial pid namespace, which every mount requires.
pub fn is_in_initial_pid_namespace() -> bool {
    Callers::new().is_ok_and(|callers| callers.daemon().is_in_initial_pid_namespace())
}

/// Whether the running kernel can narrow a walk over tasks, or over their objects, to a process
/// or a thread (since 6.1). An older kernel takes a thread id for the descriptor of a map, and
/// ignores it: the walk would visit everything (kernel/bpf/task_iter.c, bpf_iter_attach_task();
/// include/linux/bpf.h, struct bpf_iter_aux_info).
pub(crate) fn narrows_tasks() -> bool {
    static NARROWS: OnceLock<bool> = OnceLock::new();
    *NARROWS.get_or_init(|| {
        Btf::from_vmlinux().is_ok_and(|btf| {
            let mut parameters = btf
                .type_by_kind::<Struct<'_>>()
                .filter(|found| found.name() == Some(OsStr::new("bpf_iter_aux_info")));
            parameters.any(|found| {
                let mut members = found.iter();
                members.any(|member| member.name == Some(OsStr::new("task")))
            })
        })
    })
}

/// The targets that the kernel's BTF declares.
fn targets(btf: &Btf<'_>) -> Vec<Target> {
    // DEFINE_BPF_ITER_FUNC() declares a function for each target, and a program attaches to it
    // by its type id. Only functions count, because a struct may have the same name;
    // bpf_iter_task does.
    let mut here = Vec::new();
    for function in btf.type_by_kind::<Func<'_>>() {
        let name = function.name().and_then(OsStr::to_str);
        if let Some(name) = name.and_then(|name| name.strip_prefix("bpf_iter_")) {
            here.extend(layout::targets().filter(|target| target.name == name));
        }
    }
    here
}
