//! Converts errors of libbpf-rs, keeping their errno.

use libbpf_rs::ErrorKind;
use std::io;

/// The system error at the root of a libbpf-rs error, with its errno if it has one.
///
/// libbpf-rs 0.27 has no accessor for the errno, but the text of the innermost error ends with
/// it.
pub(crate) fn os_error(error: &libbpf_rs::Error) -> io::Error {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let errno = text
        .rsplit_once("(os error ")
        .and_then(|(_, rest)| rest.strip_suffix(')')?.parse().ok());
    match errno {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(kind(error.kind()), error.to_string()),
    }
}

/// Whether the cause is a shortage on the machine, so that the same may succeed later.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    matches!(errno, Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}

/// The equivalent kind in the standard library.
fn kind(kind: ErrorKind) -> io::ErrorKind {
    match kind {
        ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
        ErrorKind::NotFound => io::ErrorKind::NotFound,
        ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
        ErrorKind::WouldBlock => io::ErrorKind::WouldBlock,
        ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
        ErrorKind::InvalidData => io::ErrorKind::InvalidData,
        ErrorKind::TimedOut => io::ErrorKind::TimedOut,
        ErrorKind::Unsupported => io::ErrorKind::Unsupported,
        ErrorKind::OutOfMemory => io::ErrorKind::OutOfMemory,
        _ => io::ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libbpf_rs::ErrorExt;

    #[test]
    fn the_errno_is_found_below_what_libbpf_says() {
        let bare = libbpf_rs::Error::from_raw_os_error(libc::EMFILE);
        assert_eq!(os_error(&bare).raw_os_error(), Some(libc::EMFILE));
        let bare = libbpf_rs::Error::from_raw_os_error(libc::ENOMEM);
        let said = bare.context("outer (os error 1)").context("outermost");
        assert_eq!(os_error(&said).raw_os_error(), Some(libc::ENOMEM));
        // An error that libbpf-rs creates itself has only a kind.
        let own = libbpf_rs::Error::from(io::Error::new(io::ErrorKind::TimedOut, "slow"));
        assert_eq!(os_error(&own).kind(), io::ErrorKind::TimedOut);
    }
}
