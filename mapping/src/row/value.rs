//! One value of a row, as every format shows it.

use super::names::Names;
use std::net::IpAddr;

/// One value, as every format shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    Absent,
    /// An unsigned number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// Yes or no.
    Bool(bool),
    /// A number with a fraction.
    Float(f64),
    /// The same, in four bytes.
    ShortFloat(f32),
    /// A bit mask, or an address in memory.
    Hex(u64),
    /// Bytes to be shown in hexadecimal.
    Bytes(&'a [u8]),
    /// A device's major and minor number.
    Device(u32, u32),
    /// A name.
    Name(&'a str),
    /// The number of a value that has no name.
    Nameless(i128),
    /// A set of names.
    Flags(Flags<'a>),
    /// A string, of any bytes but NUL.
    Text(&'a [u8]),
    /// An IP address.
    Ip(IpAddr),
}

/// A set of names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flags<'a> {
    pub(super) bits: u64,
    pub(super) names: &'a Names,
}

impl<'a> Flags<'a> {
    /// The names in the set, from the lowest bit.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.names
            .iter()
            .filter(move |(bit, _)| self.bits & bit != 0)
            .map(|(_, name)| name)
    }

    /// The set itself: flags of one column with the same bits are the same.
    pub fn bits(self) -> u64 {
        self.bits
    }

    /// The bits that have no name.
    pub fn nameless(self) -> u64 {
        self.names
            .iter()
            .fold(self.bits, |bits, (bit, _)| bits & !bit)
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }
}
