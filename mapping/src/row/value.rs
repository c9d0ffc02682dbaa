//! One value of a row, in the form that all formats show.

use super::names::Names;
use std::net::IpAddr;

/// One value, in the form that all formats show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Absent,
    /// An unsigned number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// Yes or no.
    Bool(bool),
    /// A floating-point number.
    Float(f64),
    /// A floating-point number of four bytes.
    ShortFloat(f32),
    /// A bit mask, or an address in memory.
    Hex(u64),
    /// Bytes to be shown in hexadecimal.
    Bytes(&'a [u8]),
    /// A device's major and minor number.
    Device(u32, u32),
    /// A name.
    Name(&'a str),
    /// The number of an enumeration's value that has no name.
    Nameless(i128),
    /// A set of names.
    Flags(Flags<'a>),
    /// A string of any bytes except NUL.
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
    /// The names in the set, starting with the lowest bit.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.names
            .iter()
            .filter(move |(bit, _)| self.bits & bit != 0)
            .map(|(_, name)| name)
    }

    /// The bits of the set. Two sets of the same column are equal if their bits are.
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
