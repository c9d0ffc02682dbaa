//! How values are written wherever formats agree.

use iterfs_mapping::row::{Flags, Value};
use std::fmt::{Arguments, Write as _};
use std::net::IpAddr;

/// Appends a number.
#[inline]
pub(super) fn decimal(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends formatted text without allocating a string for it.
pub(super) fn formatted(out: &mut Vec<u8>, text: Arguments<'_>) {
    struct Bytes<'a>(&'a mut Vec<u8>);
    impl std::fmt::Write for Bytes<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    // Appending to a vector cannot fail.
    let _ = Bytes(out).write_fmt(text);
}

/// Whether a string is visible ASCII without a backslash. The loop has no early exit, so
/// that the compiler vectorizes it.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, byte| {
        plain & (byte.wrapping_sub(b'!') <= b'~' - b'!') & (*byte != b'\\')
    })
}

/// Appends the names of a set of flags, separated by `|`, with unnamed bits as one number.
pub(super) fn flag_names(out: &mut Vec<u8>, flags: Flags<'_>) {
    let start = out.len();
    for name in flags.names() {
        out.extend_from_slice(name.as_bytes());
        out.push(b'|');
    }
    match flags.nameless() {
        0 if out.len() > start => {
            out.pop();
        }
        0 => {}
        bits => formatted(out, format_args!("{bits:#x}")),
    }
}

/// Appends a value as the formats without quotes write it; `text` appends a string.
#[inline]
pub(super) fn unquoted<'a>(
    out: &mut Vec<u8>,
    value: Value<'a>,
    text: impl FnOnce(&mut Vec<u8>, &'a [u8]),
) {
    match value {
        Value::Absent => {}
        Value::Unsigned(number) => decimal(out, number),
        Value::Nameless(number) => decimal(out, number),
        Value::Signed(number) => decimal(out, number),
        Value::Bool(yes) => out.extend_from_slice(if yes { b"true" } else { b"false" }),
        // Debug output is the shortest that reads back as the same number.
        Value::Float(number) => formatted(out, format_args!("{number:?}")),
        Value::ShortFloat(number) => formatted(out, format_args!("{number:?}")),
        Value::Hex(bits) => hex_number(out, bits),
        Value::Device(major, minor) => {
            decimal(out, major);
            out.push(b':');
            decimal(out, minor);
        }
        Value::Name(name) => out.extend_from_slice(name.as_bytes()),
        Value::Flags(flags) => flag_names(out, flags),
        Value::Text(bytes) => text(out, bytes),
        Value::Bytes(bytes) => hex_bytes(out, bytes),
        Value::Ip(address) => ip(out, address),
    }
}

/// Appends a number as `0x...`.
pub(super) fn hex_number(out: &mut Vec<u8>, bits: u64) {
    out.extend_from_slice(b"0x");
    let digits = (u64::BITS - bits.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(bits >> (4 * digit) & 15) as usize]);
    }
}

/// Appends an address.
pub(super) fn ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            decimal(out, first);
            for octet in rest {
                out.push(b'.');
                decimal(out, octet);
            }
        }
        IpAddr::V6(address) => formatted(out, format_args!("{address}")),
    }
}

/// Appends bytes as hexadecimal digits.
pub(super) fn hex_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 * bytes.len());
    for &byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Appends a byte as `\ooo`, as /proc/mounts does.
pub(super) fn octal(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[
        b'\\',
        b'0' + (byte >> 6),
        b'0' + (byte >> 3 & 7),
        b'0' + (byte & 7),
    ]);
}

/// Calls `write` with `bytes` as text. Bytes that are not UTF-8 become `\ooo`, and then so
/// does each backslash, to keep the two distinct.
pub(super) fn as_utf8<T>(bytes: &[u8], write: impl FnOnce(&str) -> T) -> T {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return write(text);
    }
    let mut shown = Vec::with_capacity(bytes.len() * 2);
    for chunk in bytes.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            match byte {
                b'\\' => octal(&mut shown, byte),
                _ => shown.push(byte),
            }
        }
        chunk
            .invalid()
            .iter()
            .for_each(|byte| octal(&mut shown, *byte));
    }
    write(&String::from_utf8_lossy(&shown))
}

/// Appends a string of JSON, in quotes.
pub(super) fn json_string(out: &mut Vec<u8>, text: &str) {
    // Writing text to a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}
