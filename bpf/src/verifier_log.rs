//! Keeps what libbpf says while this thread loads an object, to tell why it failed.

use libbpf_rs::{PrintLevel, set_print};
use std::cell::RefCell;
use std::sync::Once;

/// The end of a long log is what matters.
const KEPT: usize = 64 * 1024;

thread_local! {
    static LOG: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes over libbpf's messages, which else go to standard error.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        set_print(Some((PrintLevel::Info, print)));
    });
}

/// Runs `load`, and returns with its result what libbpf printed meanwhile.
pub(crate) fn capture<T>(load: impl FnOnce() -> T) -> (T, String) {
    install();
    LOG.set(Some(String::new()));
    let result = load();
    (result, LOG.take().unwrap_or_default())
}

fn print(_level: PrintLevel, message: String) {
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

/// The line of a log that says what is wrong: the verifier's last word, or libbpf's.
pub(crate) fn reason(log: &str) -> &str {
    let verifier = log
        .lines()
        .skip_while(|line| !line.contains("BEGIN PROG LOAD LOG"))
        .take_while(|line| !line.contains("END PROG LOAD LOG"))
        .filter(|line| !line.starts_with("processed ") && !line.trim().is_empty())
        .last();
    let libbpf = log.lines().find(|line| line.starts_with("libbpf:"));
    verifier.or(libbpf).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_verifiers_last_word_is_the_reason() {
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
}
