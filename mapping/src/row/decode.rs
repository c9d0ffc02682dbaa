//! Reads a column's value out of a record. Allocates nothing.

use super::kind::{Kind, Unit};
use super::record::Record;
use super::schema::Column;
use super::value::{Flags, Value};
use super::width::{Width, bytes};
use std::net::{Ipv4Addr, Ipv6Addr};

impl Column {
    /// The sort key of the column in a record's fixed part: the value for numbers, and the raw
    /// bytes for all other kinds. For an address, the bytes start with the family.
    pub fn order<'a>(&self, fixed: &'a [u8]) -> (u64, &'a [u8]) {
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
                    Kind::Name(width, names) if names.is_signed() => {
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
                    // The kernel's internal encoding (include/linux/kdev_t.h), not the one of
                    // user space.
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
            // The map's own columns replace these when the map is opened.
            Kind::MapKey | Kind::MapValue => Value::Absent,
        }
    }
}

/// Whether `bytes` repeats the bytes of an integer. A value wider than an integer is compared
/// this way with the value that means absent.
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
