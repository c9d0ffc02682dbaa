//! Which targets the running kernel has.

use crate::error::{Error, Result};
use iterfs_mapping::{Target, layout};
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;
use std::ffi::OsStr;

/// The targets that the kernel's BTF declares.
///
/// # Errors
/// [`Error::NoBtf`] if the kernel has none, and so can fit no program to itself.
pub fn targets() -> Result<Vec<Target>> {
    let btf = Btf::from_vmlinux().map_err(|error| Error::NoBtf(error.to_string()))?;
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
    Ok(here)
}
