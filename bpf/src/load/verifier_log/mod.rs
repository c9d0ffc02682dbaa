//! Keeps libbpf's messages while this thread loads an object, to report why loading failed.

mod sys;

use std::cell::RefCell;
use std::sync::Once;

/// The size of the log, in bytes, that is kept. The end of a long log is the part that matters.
const KEPT: usize = 64 * 1024;

thread_local! {
    static LOG: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Redirects libbpf's messages, which otherwise go to standard error.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(sys::install);
}

/// Runs `load`, and returns its result with the messages that libbpf printed meanwhile.
pub(crate) fn capture<T>(load: impl FnOnce() -> T) -> (T, String) {
    install();
    LOG.set(Some(String::new()));
    let result = load();
    (result, LOG.take().unwrap_or_default())
}

/// Logs a message, and keeps it for a thread that is loading an object.
fn print(message: &[u8]) {
    let message = printable(message);
    tracing::debug!(target: "libbpf", "{}", message.trim_end());
    LOG.with_borrow_mut(|log| {
        if let Some(log) = log {
            log.push_str(&message);
            if log.len() > 2 * KEPT {
                let cut = log.ceil_char_boundary(log.len() - KEPT);
                log.drain(..cut);
            }
        }
    });
}

/// Makes a message safe for a terminal or a log. It quotes names from the object, which may
/// contain any bytes.
fn printable(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => plain.push(character),
            character if character.is_control() => plain.extend(character.escape_default()),
            character => plain.push(character),
        }
    }
    plain
}

/// The lines that libbpf prints before and after the verifier's log.
const BEGIN: &str = "BEGIN PROG LOAD LOG";
const END: &str = "END PROG LOAD LOG";

/// The line of a log that states the problem: the verifier's last message, or libbpf's.
pub(crate) fn reason(log: &str) -> &str {
    // The beginning of a long log may be missing.
    let is_cut = !log.contains(BEGIN) && log.contains(END);
    let verifier = log
        .lines()
        .skip_while(|line| !is_cut && !line.contains(BEGIN))
        .take_while(|line| !line.contains(END))
        .filter(|line| !line.starts_with("processed ") && !line.trim().is_empty())
        .last();
    let libbpf = log.lines().find(|line| line.starts_with("libbpf:"));
    verifier.or(libbpf).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifiers_last_message_is_the_reason() {
        let log = "libbpf: prog 'x': BPF program load failed: Permission denied\n\
                   libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\n\
                   0: (b7) r0 = 0\n\
                   R3 min value is negative\n\
                   processed 5 insns (limit 1000000)\n\
                   -- END PROG LOAD LOG --\n\
                   libbpf: failed to load object 'x'\n";
        assert_eq!(reason(log), "R3 min value is negative");
        assert_eq!(reason("libbpf: elf: not found\n"), "libbpf: elf: not found");
        assert_eq!(reason(""), "");
    }

    #[test]
    fn a_long_log_ends_with_the_reason() {
        let (_, log) = capture(|| {
            print(b"libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\n");
            for line in 0..20_000 {
                print(format!("{line}: (b7) r0 = 0\n").as_bytes());
            }
            print(b"R3 is not wanted\nprocessed 9 insns\n-- END PROG LOAD LOG --\n");
        });
        assert!(log.len() <= 2 * KEPT, "{}", log.len());
        assert_eq!(reason(&log), "R3 is not wanted");
    }

    #[test]
    fn any_bytes_are_printed() {
        let (_, log) = capture(|| print(b"FUNC s\x80y \x1b[2J\x00\xff\xfe\n\tend"));
        assert_eq!(
            log,
            "FUNC s\u{fffd}y \\u{1b}[2J\\u{0}\u{fffd}\u{fffd}\n\tend"
        );
    }
}
