//! Which targets the running kernel has, and which features of theirs.

use crate::error::{Error, Result, libbpf_error};
use iterfs_mapping::Target;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;

/// The targets that the kernel's BTF declares.
///
/// # Errors
/// [`Error::NoBtf`] if the kernel has none, and so can fit no program to itself.
pub fn targets() -> Result<Vec<Target>> {
    let btf = Btf::from_vmlinux().map_err(|error| Error::NoBtf(libbpf_error(error)))?;
    // DEFINE_BPF_ITER_FUNC() declares this function for each target, and a
    // program attaches to it by its type id.
    let has = |target: &Target| {
        btf.type_by_name::<Func<'_>>(&format!("bpf_iter_{}", target.name()))
            .is_some()
    };
    Ok(Target::ALL.into_iter().filter(has).collect())
}
