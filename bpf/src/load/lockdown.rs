//! Whether the kernel is locked down so far that BPF programs cannot read its memory
//! (kernel_lockdown(7)).
//!
//! Under `lockdown=confidentiality` the kernel takes the helpers that read kernel
//! memory away from programs. The verifier then refuses a program that calls one
//! with EINVAL, as if the kernel had never had that helper.

use rustix::io::Errno;
use std::fs;
use std::io;

/// Shows all levels, the one in force in brackets: `none [integrity] confidentiality`.
/// There where securityfs is mounted and the kernel has lockdown.
const FILE: &str = "/sys/kernel/security/lockdown";

/// Says what is locked and what to do about it.
pub const REASON: &str = "the kernel is locked down (lockdown=confidentiality) and lets no BPF program \
    read its memory; boot with lockdown=integrity or without lockdown";

/// Whether the kernel keeps its memory from BPF programs. False where it does not
/// say: then programs that need it fail to load.
pub fn hides_memory() -> bool {
    fs::read_to_string(FILE).is_ok_and(|text| is_confidential(&text))
}

/// Why a program does not load, if lockdown is the likely reason for that errno.
pub(crate) fn explain(error: &io::Error) -> Option<&'static str> {
    let errno = Errno::from_io_error(error);
    let refused = matches!(errno, Some(Errno::INVAL | Errno::PERM | Errno::ACCESS));
    (refused && hides_memory()).then_some(REASON)
}

fn is_confidential(text: &str) -> bool {
    text.split_whitespace()
        .any(|level| level == "[confidentiality]")
}

#[cfg(test)]
mod tests {
    use super::is_confidential;

    #[test]
    fn the_level_in_brackets_is_in_force() {
        assert!(is_confidential("none integrity [confidentiality]\n"));
        assert!(!is_confidential("none [integrity] confidentiality\n"));
        assert!(!is_confidential("[none] integrity confidentiality\n"));
        assert!(!is_confidential(""));
    }
}
