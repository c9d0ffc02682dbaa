//! Numbers as people read them.

/// The suffixes of sizes, each 1024 times the one before.
const SIZES: [&str; 6] = ["", "K", "M", "G", "T", "P"];

/// A value of a column of this kind, without control characters.
pub(super) fn value(kind: &str, text: &str) -> String {
    match (kind, text.parse()) {
        (_, _) if text.is_empty() => "-".into(),
        ("bytes", Ok(number)) => size(number),
        ("nanoseconds", Ok(number)) => duration(number),
        _ => plain(text),
    }
}

/// The growth per second of a column of this kind.
pub(super) fn rate(kind: &str, growth: f64) -> String {
    match kind {
        "bytes" => size(growth),
        // A second in every second is all of a processor.
        "nanoseconds" => format!("{:.1}%", growth / 1e7),
        _ if growth >= 100.0 || growth == growth.trunc() => format!("{growth:.0}"),
        _ => format!("{growth:.1}"),
    }
}

fn size(bytes: f64) -> String {
    let (mut number, mut suffix) = (bytes, 0);
    while number >= 1023.95 && suffix + 1 < SIZES.len() {
        number /= 1024.0;
        suffix += 1;
    }
    match suffix {
        0 => format!("{number:.0}"),
        _ => format!("{number:.1}{}", SIZES[suffix]),
    }
}

fn duration(nanoseconds: f64) -> String {
    let seconds = nanoseconds / 1e9;
    let whole = seconds as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match whole {
        _ if nanoseconds == 0.0 => "0".into(),
        _ if nanoseconds < 1e3 => format!("{nanoseconds:.0}ns"),
        _ if nanoseconds < 1e6 => format!("{:.1}us", nanoseconds / 1e3),
        _ if seconds < 1.0 => format!("{:.1}ms", nanoseconds / 1e6),
        0..60 => format!("{seconds:.1}s"),
        60..3600 => format!("{minutes}m{:02}s", whole % 60),
        3600..86_400 => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

/// Text without characters that could do something to a terminal.
fn plain(text: &str) -> String {
    let shown = |character: char| match character.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => character,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (kind, text, shown) in [
            ("bytes", "0", "0"),
            ("bytes", "1023", "1023"),
            ("bytes", "1024", "1.0K"),
            ("bytes", "1048575", "1.0M"),
            ("bytes", "1610612736", "1.5G"),
            ("nanoseconds", "999", "999ns"),
            ("nanoseconds", "1500", "1.5us"),
            ("nanoseconds", "2500000", "2.5ms"),
            ("nanoseconds", "59000000000", "59.0s"),
            ("nanoseconds", "61000000000", "1m01s"),
            ("nanoseconds", "3723000000000", "1h02m"),
            ("nanoseconds", "180000000000000", "2d02h"),
            ("number", "12345", "12345"),
            ("text", "a\u{1b}[2J", "a\u{fffd}[2J"),
            ("text", "", "-"),
        ] {
            assert_eq!(value(kind, text), shown);
        }
        assert_eq!(rate("bytes", 2048.0), "2.0K");
        assert_eq!(rate("nanoseconds", 5e8), "50.0%");
        assert_eq!(rate("number", 1.25), "1.2");
        assert_eq!(rate("number", 1234.5), "1234");
    }
}
