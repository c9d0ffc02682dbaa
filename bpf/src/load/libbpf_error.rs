//! The errno of an error of libbpf-rs.

use std::io;

/// The system's error at the bottom of one of libbpf-rs, with its errno if it has any.
///
/// libbpf-rs 0.27 gives the errno to nobody; the text of the innermost error ends with it.
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
        None => io::Error::other(error.to_string()),
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
    }
}
