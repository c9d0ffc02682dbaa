//! Detects whether kernel lockdown keeps BPF programs from reading kernel memory
//! (kernel_lockdown(7)).
//!
//! Under `lockdown=confidentiality` the kernel withdraws the helpers that read kernel memory.
//! The verifier then refuses a program that calls one with EINVAL, as if the kernel had never
//! had the helper.

use rustix::io::Errno;
use std::fs;
use std::io;

/// Lists all levels, with the current one in brackets: `none [integrity] confidentiality`. The
/// file exists if securityfs is mounted and the kernel has lockdown.
const FILE: &str = "/sys/kernel/security/lockdown";

/// The reason and the remedy, for messages.
pub const REASON: &str = "the kernel is locked down (lockdown=confidentiality) and lets no BPF program \
    read its memory; boot with lockdown=integrity or without lockdown";

/// Whether lockdown hides kernel memory from BPF programs. False if the level cannot be read;
/// in that case programs that need kernel memory fail to load.
pub fn hides_memory() -> bool {
    fs::read_to_string(FILE).is_ok_and(|text| is_confidential(&text))
}

/// The reason for which a program does not load, if lockdown is likely for this errno.
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
