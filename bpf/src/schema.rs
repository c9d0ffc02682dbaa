//! What a row is made of: columns, their places in the record, and how a value reads.
//!
//! A schema is made from a program's BTF by `btf.rs`, and what a map holds is added
//! from the map's by `map/shape.rs`; nothing else lists columns. Reading a value
//! allocates nothing.

use crate::bits::Bits;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The shape of a table's rows.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Schema {
    /// What one row is, such as "a thread".
    pub row: String,
    /// Bytes of a record before its trailing string, if it has one.
    pub fixed_size: usize,
    /// Where the fixed part holds the length of the trailing string (a `u16`).
    pub tail_length: Option<usize>,
    /// The columns, in the order they are shown.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Where it stands among nested values, in formats that nest; empty for a
    /// column that stands by its name alone.
    pub path: Vec<Step>,
    /// What it means, in a line.
    pub doc: String,
    /// Where its value starts in the record.
    pub offset: usize,
    /// What its value is.
    pub kind: Kind,
    /// The value that stands for "there is none", by its bits.
    pub absent: Option<u64>,
}

/// A step from a row to a value nested in it.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Step {
    /// To the member of this name.
    Member(Box<str>),
    /// To this element of a list.
    Element(usize),
}

/// The bytes an integer takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Width {
    /// One byte.
    One,
    /// Two bytes.
    Two,
    /// Four bytes.
    Four,
    /// Eight bytes.
    Eight,
}

/// What a value is and how it is shown.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Kind {
    /// An unsigned number.
    Unsigned(Width, Unit),
    /// A signed number.
    Signed(Width),
    /// Yes or no.
    Bool,
    /// A number of four or eight bytes with a fraction.
    Float(Width),
    /// Some bits of the bytes here, shown as the other kind.
    Bits(Bits, Box<Kind>),
    /// A bit mask or an address in memory, shown in hexadecimal.
    Hex(Width),
    /// A pointer of a program's, eight bytes, which may be an address of the
    /// kernel's and is then not for everybody.
    Pointer {
        /// Whether it is shown.
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
    /// An address of either IP family.
    Inet,
    /// The place of a map's key, whose columns only the map knows.
    MapKey,
    /// The place of a map's value.
    MapValue,
}

/// What an unsigned number counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Unit {
    /// Just a number.
    None,
    /// Bytes.
    Bytes,
    /// Pages, shown in bytes; this is how many bytes one has, as a power of two.
    Pages(u32),
    /// Nanoseconds.
    Nanoseconds,
}

/// The names of an enumeration's values, sorted by value.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
pub struct Names {
    list: Vec<(u64, Box<str>)>,
    /// Whether a value without a name is a signed number.
    signed: bool,
}

impl Names {
    /// Names by value; of two for one value, the first counts.
    pub fn new(mut names: Vec<(u64, Box<str>)>) -> Names {
        names.sort_by_key(|(value, _)| *value);
        names.dedup_by_key(|(value, _)| *value);
        Names {
            list: names,
            signed: false,
        }
    }

    /// The same, of an enumeration of signed numbers.
    pub(crate) fn signed(self) -> Names {
        Names {
            signed: true,
            ..self
        }
    }

    #[inline]
    fn value(&self, width: Width, value: u64) -> Value<'_> {
        match self.get(value) {
            Some(name) => Value::Name(name),
            None if self.signed => Value::Nameless(width.extend(value).into()),
            None => Value::Nameless(value.into()),
        }
    }

    /// The name of a value.
    pub fn get(&self, value: u64) -> Option<&str> {
        // Most enumerations count up from 0, so the place is known.
        if let Some((at, name)) = self.list.get(value as usize)
            && *at == value
        {
            return Some(name);
        }
        let at = self
            .list
            .binary_search_by_key(&value, |(value, _)| *value)
            .ok()?;
        Some(&self.list[at].1)
    }

    fn join(&self) -> String {
        let names: Vec<_> = self.iter().map(|(_, name)| name).collect();
        names.join(", ")
    }

    /// Values and names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        self.list.iter().map(|(value, name)| (*value, &**name))
    }
}

/// One record: its fixed part, and the string after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    pub(crate) fixed: &'a [u8],
    pub(crate) tail: &'a [u8],
}

impl<'a> Record<'a> {
    /// The part of fixed size.
    #[inline]
    pub fn fixed(self) -> &'a [u8] {
        self.fixed
    }

    /// The string at its end.
    #[inline]
    pub fn tail(self) -> &'a [u8] {
        self.tail
    }
}

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
    bits: u64,
    names: &'a Names,
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

impl Width {
    /// The width of an integer of that many bytes.
    pub fn of(bytes: usize) -> Option<Width> {
        match bytes {
            1 => Some(Width::One),
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }

    /// The bytes it takes.
    pub fn bytes(self) -> usize {
        match self {
            Width::One => 1,
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => 8,
        }
    }

    #[inline]
    fn unsigned(self, fixed: &[u8], at: usize) -> u64 {
        match self {
            Width::One => u64::from(fixed[at]),
            Width::Two => u64::from(u16::from_ne_bytes(bytes(fixed, at))),
            Width::Four => u64::from(u32::from_ne_bytes(bytes(fixed, at))),
            Width::Eight => u64::from_ne_bytes(bytes(fixed, at)),
        }
    }

    #[inline]
    fn signed(self, fixed: &[u8], at: usize) -> i64 {
        self.extend(self.unsigned(fixed, at))
    }

    /// The signed number whose bits these are.
    #[inline]
    pub(crate) fn extend(self, value: u64) -> i64 {
        let unused = 64 - 8 * self.bytes() as u32;
        (value << unused) as i64 >> unused
    }

    /// The bits of `value` that such an integer has.
    pub fn truncate(self, value: i64) -> u64 {
        let unused = 64 - 8 * self.bytes() as u32;
        (value as u64) << unused >> unused
    }
}

/// The next bytes of a record. The schema's offsets lie within it, as `Schema::check` saw.
#[inline]
fn bytes<const N: usize>(fixed: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&fixed[at..at + N]);
    array
}

impl Kind {
    /// Bytes of the fixed part that a value takes.
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

    /// The usual width of its values as text, and whether they stand at the right.
    pub fn shape(&self) -> (usize, bool) {
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

    /// What a column's type is called where columns are listed.
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

impl Column {
    /// What its values are sorted by, in a record's fixed part: numbers as such,
    /// the rest by its bytes, which for an address means by family first.
    pub(crate) fn order<'a>(&self, fixed: &'a [u8]) -> (u64, &'a [u8]) {
        let at = self.offset;
        match &self.kind {
            Kind::Unsigned(width, _) | Kind::Name(width, _) | Kind::Hex(width) => {
                (width.unsigned(fixed, at), &[])
            }
            kind => (0, &fixed[at..at + kind.size()]),
        }
    }

    /// The column's value in a record of its schema.
    #[inline]
    pub fn value<'a>(&'a self, record: Record<'a>) -> Value<'a> {
        let Record { fixed, tail } = record;
        let at = self.offset;
        match &self.kind {
            Kind::Unsigned(width, unit) => {
                let value = width.unsigned(fixed, at);
                match (self.absent, unit) {
                    (Some(absent), _) if absent == value => Value::Absent,
                    (_, Unit::Pages(shift)) => Value::Unsigned(value << shift),
                    _ => Value::Unsigned(value),
                }
            }
            Kind::Signed(width) => match self.absent {
                Some(absent) if absent == width.unsigned(fixed, at) => Value::Absent,
                _ => Value::Signed(width.signed(fixed, at)),
            },
            Kind::Bool => match self.absent {
                Some(absent) if absent == u64::from(fixed[at]) => Value::Absent,
                _ => Value::Bool(fixed[at] != 0),
            },
            Kind::Float(Width::Four) => Value::ShortFloat(f32::from_ne_bytes(bytes(fixed, at))),
            Kind::Float(_) => Value::Float(f64::from_ne_bytes(bytes(fixed, at))),
            Kind::Bits(bits, shown) => {
                let field = &fixed[at..at + bits.bytes()];
                match &**shown {
                    Kind::Signed(_) => Value::Signed(bits.signed(field)),
                    Kind::Bool => Value::Bool(bits.unsigned(field) != 0),
                    Kind::Name(width, names) if names.signed => {
                        names.value(*width, width.truncate(bits.signed(field)))
                    }
                    Kind::Name(width, names) => names.value(*width, bits.unsigned(field)),
                    _ => Value::Unsigned(bits.unsigned(field)),
                }
            }
            Kind::Hex(width) => match self.absent {
                Some(absent) if absent == width.unsigned(fixed, at) => Value::Absent,
                _ => Value::Hex(width.unsigned(fixed, at)),
            },
            Kind::Pointer { shown: true } => Value::Hex(Width::Eight.unsigned(fixed, at)),
            Kind::Pointer { shown: false } => Value::Absent,
            Kind::Bytes(size) => match self.absent {
                Some(absent) if repeats(&fixed[at..at + size], absent) => Value::Absent,
                _ => Value::Bytes(&fixed[at..at + size]),
            },
            Kind::Device => {
                let device = Width::Four.unsigned(fixed, at);
                match self.absent {
                    Some(absent) if absent == device => Value::Absent,
                    // The kernel's own encoding (include/linux/kdev_t.h), not user space's.
                    _ => Value::Device((device >> 20) as u32, (device & 0xf_ffff) as u32),
                }
            }
            Kind::Name(width, names) => {
                let value = width.unsigned(fixed, at);
                match self.absent {
                    Some(absent) if absent == value => Value::Absent,
                    _ => names.value(*width, value),
                }
            }
            Kind::Flags(width, names) => {
                let bits = width.unsigned(fixed, at);
                match self.absent {
                    Some(absent) if absent == bits => Value::Absent,
                    _ => Value::Flags(Flags { bits, names }),
                }
            }
            Kind::Text(capacity) => {
                let field = &fixed[at..at + capacity];
                let end = field.iter().position(|byte| *byte == 0);
                text(&field[..end.unwrap_or(*capacity)])
            }
            Kind::Tail => text(tail),
            Kind::Ipv6 => {
                let address: [u8; 16] = bytes(fixed, at);
                match self.absent {
                    Some(absent) if repeats(&address, absent) => Value::Absent,
                    _ => Value::Ip(Ipv6Addr::from(address).into()),
                }
            }
            Kind::Inet => match fixed[at] {
                4 => Value::Ip(Ipv4Addr::from(bytes::<4>(fixed, at + 1)).into()),
                6 => Value::Ip(Ipv6Addr::from(bytes::<16>(fixed, at + 1)).into()),
                _ => Value::Absent,
            },
            // They give way to the map's own columns when it is opened.
            Kind::MapKey | Kind::MapValue => Value::Absent,
        }
    }
}

/// Whether bytes are those of an integer, again and again: how a value wider than an
/// integer is compared with what stands for none.
#[inline]
fn repeats(bytes: &[u8], integer: u64) -> bool {
    let integer = integer.to_ne_bytes();
    bytes.chunks(8).all(|part| part == &integer[..part.len()])
}

fn text(bytes: &[u8]) -> Value<'_> {
    match bytes {
        [] => Value::Absent,
        bytes => Value::Text(bytes),
    }
}

impl Schema {
    /// Keeps what may be addresses of the kernel's from the reader.
    pub(crate) fn hide_addresses(&mut self) {
        for column in &mut self.columns {
            if let Kind::Pointer { shown } = &mut column.kind {
                *shown = false;
            }
        }
    }

    /// Whether every column lies within the record; decoding relies on it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let fits = |offset: usize, size: usize| {
            offset
                .checked_add(size)
                .is_some_and(|end| end <= self.fixed_size)
        };
        if self.columns.is_empty() {
            return Err("the row has no columns".into());
        }
        if let Some(offset) = self.tail_length
            && !fits(offset, 2)
        {
            return Err("the trailing string's length lies outside the row".into());
        }
        match self.columns.iter().find(|c| !fits(c.offset, c.kind.size())) {
            Some(column) => Err(format!("the column {} lies outside the row", column.name)),
            None => Ok(()),
        }
    }
}
