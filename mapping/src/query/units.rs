//! Numbers, sizes and durations, as conditions write them.

/// The suffixes of sizes and large numbers, as powers of 1024.
const SIZES: [(&str, i128); 5] = [
    ("", 1),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("T", 1 << 40),
];

/// The suffixes of durations, in nanoseconds. A number without one counts nanoseconds.
const DURATIONS: [(&str, i128); 8] = [
    ("", 1),
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
];

/// The most digits of a number, so that no product overflows.
const MOST_DIGITS: usize = 20;

/// An integer: decimal, hexadecimal with `0x`, or with a suffix of sizes, which may follow a
/// fraction (`1.5G`).
pub(super) fn number(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(digits) = text.strip_prefix("0x") {
        let digits_only = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = u64::from_str_radix(digits, 16).ok();
        return value.filter(|_| digits_only).map(i128::from);
    }
    match text.strip_prefix('-') {
        Some(text) => scaled(text, &SIZES).map(|number| -number),
        None => scaled(text, &SIZES),
    }
}

/// A duration in nanoseconds.
pub(super) fn duration(text: &[u8]) -> Option<i128> {
    scaled(std::str::from_utf8(text).ok()?, &DURATIONS)
}

/// Digits, perhaps a fraction, and one of the suffixes. What is left of a fraction below one is
/// dropped.
fn scaled(text: &str, suffixes: &[(&str, i128)]) -> Option<i128> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (digits, suffix) = text.split_at(end.unwrap_or(text.len()));
    let (_, unit) = suffixes.iter().find(|(name, _)| *name == suffix)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || digits.len() > MOST_DIGITS || digits.ends_with('.') {
        return None;
    }
    if !fraction.is_empty() && suffix.is_empty() {
        return None;
    }
    let parse = |digits: &str| match digits {
        "" => Some(0),
        digits => digits.parse::<i128>().ok(),
    };
    let below_one = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = parse(fraction)?.checked_mul(*unit)? / below_one;
    parse(whole)?.checked_mul(*unit)?.checked_add(part)
}

/// The parts of a range of unsigned numbers without the value that means absent.
pub(super) fn without(
    absent: Option<u64>,
    low: u64,
    high: u64,
) -> impl Iterator<Item = (u64, u64)> {
    let parts = match absent {
        Some(absent) if (low..=high).contains(&absent) => [
            absent.checked_sub(1).map(|high| (low, high)),
            absent.checked_add(1).map(|low| (low, high)),
        ],
        _ => [Some((low, high)), None],
    };
    parts
        .into_iter()
        .flatten()
        .filter(|(low, high)| low <= high)
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_have_suffixes() {
        let number = |text: &str| super::number(text.as_bytes());
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("42"), Some(42));
        assert_eq!(number("-3"), Some(-3));
        assert_eq!(number("0xff"), Some(255));
        assert_eq!(number("4K"), Some(4096));
        assert_eq!(number("1.5G"), Some(3 << 29));
        assert_eq!(number("18446744073709551615"), Some(u64::MAX.into()));
        for wrong in [
            "",
            "-",
            "K",
            "1.5",
            "1.",
            ".5K",
            "1..2",
            "1k",
            "1KB",
            "0x",
            "0x+1",
            "+1",
            "1 ",
            "--1",
            "999999999999999999999",
        ] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_have_suffixes() {
        let duration = |text: &str| super::duration(text.as_bytes());
        assert_eq!(duration("7"), Some(7));
        assert_eq!(duration("7ns"), Some(7));
        assert_eq!(duration("1.5us"), Some(1500));
        assert_eq!(duration("2ms"), Some(2_000_000));
        assert_eq!(duration("3m"), Some(180_000_000_000));
        assert_eq!(duration("1d"), Some(86_400_000_000_000));
        for wrong in ["", "s", "1M", "-1s", "1.5", "1 s", "1sec"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }
}
