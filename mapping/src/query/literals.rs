//! Values as conditions write them, apart from numbers.

use super::units;

/// Whether a name begins with a text, whatever their case.
pub(super) fn begins(name: &str, text: &[u8]) -> bool {
    let front = name.as_bytes().get(..text.len());
    front.is_some_and(|front| front.eq_ignore_ascii_case(text))
}

/// `true` or `false`.
pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A device in the kernel's internal encoding (include/linux/kdev_t.h), from `major:minor`.
pub(super) fn device(text: &[u8]) -> Option<u64> {
    let (major, minor) = std::str::from_utf8(text).ok()?.split_once(':')?;
    let part = |text: &str, most: u64| {
        let number = units::number(text.as_bytes())?;
        u64::try_from(number).ok().filter(|number| *number <= most)
    };
    Some(part(major, 0xfff)? << 20 | part(minor, 0xf_ffff)?)
}

/// Bytes written as hexadecimal digits, and the number of bits that the digits stand for.
pub(super) fn hexadecimal(text: &[u8]) -> Option<(Box<[u8]>, usize)> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let digits = text.iter().map(digit).collect::<Option<Vec<u8>>>()?;
    let bytes = digits.chunks(2);
    let bytes = bytes.map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or_default());
    Some((bytes.collect(), 4 * digits.len()))
}

/// The number of bits in a block's prefix. `parse` alone would take a sign.
pub(super) fn prefix_length(text: &str) -> Option<usize> {
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits_only)
}

/// A number that is not NaN, which equals nothing.
pub(super) fn float(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(number).filter(|number| !number.is_nan())
}
