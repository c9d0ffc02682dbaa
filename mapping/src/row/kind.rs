//! The kinds of column values, and their width as text.

use super::bits::Bits;
use super::names::Names;
use super::width::Width;
use serde::{Deserialize, Serialize};

/// The kind of a value, which decides how the value is shown.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Kind {
    /// An unsigned number.
    Unsigned(Width, Unit),
    /// A signed number.
    Signed(Width),
    /// Yes or no.
    Bool,
    /// A floating-point number of four or eight bytes.
    Float(Width),
    /// A bit field in the bytes at this offset, shown as the other kind.
    Bits(Bits, Box<Kind>),
    /// A bit mask or an address in memory, shown in hexadecimal.
    Hex(Width),
    /// A pointer in a program's map, eight bytes. It may be a kernel address, which not every
    /// reader may see.
    Pointer {
        /// Whether the reader may see the value.
        shown: bool,
    },
    /// Bytes, shown in hexadecimal.
    Bytes(usize),
    /// A kernel `dev_t`, shown as major:minor.
    Device,
    /// One of a set of names.
    Name(Width, Names),
    /// Any of a set of names.
    Flags(Width, Names),
    /// A string of at most this many bytes, ended by a NUL if shorter.
    Text(usize),
    /// The string that ends the record.
    Tail,
    /// An IPv6 address.
    Ipv6,
    /// An IPv4 or IPv6 address.
    Inet,
    /// A placeholder for a map's key; only the map knows the columns.
    MapKey,
    /// A placeholder for a map's value.
    MapValue,
}

/// The unit of an unsigned number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Unit {
    /// A plain number.
    None,
    /// Bytes.
    Bytes,
    /// Pages, shown in bytes. The parameter is the page size as a power of two.
    Pages(u32),
    /// Nanoseconds.
    Nanoseconds,
}

impl Kind {
    /// The number of bytes that a value takes in the fixed part.
    pub fn size(&self) -> usize {
        match self {
            Kind::Unsigned(width, _)
            | Kind::Signed(width)
            | Kind::Float(width)
            | Kind::Hex(width)
            | Kind::Name(width, _)
            | Kind::Flags(width, _) => width.bytes(),
            Kind::Bool => 1,
            Kind::Pointer { .. } => Width::Eight.bytes(),
            Kind::Device => 4,
            Kind::Text(capacity) => *capacity,
            Kind::Tail | Kind::MapKey | Kind::MapValue => 0,
            Kind::Bits(bits, _) => bits.bytes(),
            Kind::Bytes(size) => *size,
            Kind::Ipv6 => 16,
            Kind::Inet => 17,
        }
    }

    /// The usual width of the values as text, and whether they are aligned to the right.
    pub(super) fn shape(&self) -> (usize, bool) {
        match self {
            Kind::Bits(_, shown) => shown.shape(),
            Kind::Float(_) => (12, true),
            Kind::Unsigned(width, _) | Kind::Signed(width) => match width {
                Width::One => (3, true),
                Width::Two => (5, true),
                Width::Four => (7, true),
                Width::Eight => (12, true),
            },
            Kind::Bool => (5, false),
            Kind::Hex(_) | Kind::Pointer { .. } => (10, true),
            Kind::Device => (7, true),
            Kind::Name(_, names) => (
                names.iter().map(|(_, name)| name.len()).max().unwrap_or(0),
                false,
            ),
            Kind::Flags(..) => (16, false),
            Kind::Text(capacity) => (capacity.saturating_sub(1), false),
            Kind::Bytes(size) => (2 * size, false),
            Kind::Ipv6 => (24, false),
            Kind::Inet => (15, false),
            Kind::Tail | Kind::MapKey | Kind::MapValue => (0, false),
        }
    }

    /// The name of the column's type, for lists of columns.
    pub fn describe(&self) -> String {
        match self {
            Kind::Unsigned(_, Unit::None) | Kind::Signed(_) => "number".into(),
            Kind::Unsigned(_, Unit::Bytes | Unit::Pages(_)) => "bytes".into(),
            Kind::Unsigned(_, Unit::Nanoseconds) => "nanoseconds".into(),
            Kind::Float(_) => "number".into(),
            Kind::Bits(_, shown) => shown.describe(),
            Kind::Bool => "true or false".into(),
            Kind::Hex(_) | Kind::Pointer { .. } | Kind::Bytes(_) => "hexadecimal".into(),
            Kind::Device => "major:minor".into(),
            Kind::Name(_, list) => format!("one of {}", list.join()),
            Kind::Flags(_, list) => format!("any of {}", list.join()),
            Kind::Text(_) | Kind::Tail => "text".into(),
            Kind::Ipv6 => "IPv6 address".into(),
            Kind::Inet => "IP address".into(),
            Kind::MapKey | Kind::MapValue => "as the map's BTF says".into(),
        }
    }
}
