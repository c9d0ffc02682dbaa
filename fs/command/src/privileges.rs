//! The capabilities of the daemon: no more than it needs. docs/SECURITY.md says what for.

use rustix::io::{self, Errno};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

/// The capabilities that the daemon needs from start to end.
const NEEDED: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::BPF)
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::SYSLOG);

/// The capability that entering another mount namespace needs besides (fs/namespace.c,
/// mntns_install()); the daemon enters it once more at the end.
const FOR_NAMESPACE: CapabilitySet = CapabilitySet::SYS_CHROOT;

/// Gives up, for this thread and those that it starts, all capabilities that the daemon
/// does not need, and the right to gain any by execve(2).
///
/// # Errors
/// The kernel refuses, which it does not if the process only gives capabilities up.
pub(crate) fn drop_unneeded(enters_mount_namespace: bool) -> io::Result<()> {
    let needed = match enters_mount_namespace {
        true => NEEDED | FOR_NAMESPACE,
        false => NEEDED,
    };
    // This needs CAP_SETPCAP, which is about to be given up.
    limit_bounding_set(needed)?;
    clear_ambient_capability_set()?;
    let held = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: held.effective & needed,
            permitted: held.permitted & needed,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    set_no_new_privs(true)
}

fn limit_bounding_set(needed: CapabilitySet) -> io::Result<()> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if needed.contains(capability) {
            continue;
        }
        match capability_is_in_bounding_set(capability) {
            Ok(true) => {}
            Ok(false) => continue,
            // The number lies beyond the last capability that the kernel knows.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
        match remove_capability_from_bounding_set(capability) {
            // The process that started the daemon has taken CAP_SETPCAP away. The bounding
            // set limits what execve(2) grants, and with no_new_privs that is nothing.
            Err(Errno::PERM) => return Ok(()),
            removed => removed?,
        }
    }
    Ok(())
}
