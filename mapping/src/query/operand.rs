//! The value of a condition as tests of a column's bytes.

use super::fault::Wrong;
use super::filter::{Place, Probe, Test};
use super::literals::{begins, boolean, device, float, hexadecimal, prefix_length};
use super::similar::most_similar;
use super::terms::Written;
use super::units::{self, without};
use crate::row::{Column, Kind, Names, Unit, Width};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The tests that hold for the values that a condition names: any of them.
pub(super) struct Operand {
    pub(super) tests: Vec<Test>,
    /// Whether the tests may also hold for a value that is absent, which does not count.
    pub(super) unless_absent: bool,
}

impl Operand {
    fn of(tests: Vec<Test>) -> Operand {
        Operand {
            tests,
            unless_absent: false,
        }
    }
}

/// The tests for a written value of a column.
pub(super) fn operand(column: &Column, value: &Written) -> Result<Operand, Wrong> {
    let subject = Subject { column };
    if let Kind::Pointer { shown: false } = column.kind {
        return Ok(Operand::of(vec![subject.test(Probe::Hidden)]));
    }
    let tests = match value {
        Written::Absent => absent(column),
        Written::Exactly(text) => return subject.exactly(text),
        Written::BeginsWith(text) => return subject.begins_with(text),
        Written::Between(low, high) => return subject.between(low, high),
    };
    Ok(Operand::of(tests))
}

/// The tests for a value that text shows as a dash: it is absent, or an empty set.
pub(super) fn absent(column: &Column) -> Vec<Test> {
    let subject = Subject { column };
    let equal = |width, value| subject.range_test(width, false, value, value);
    match (&column.kind, column.absent) {
        (Kind::Pointer { shown: false }, _) => vec![subject.test(Probe::Hidden)],
        (Kind::Text(_), _) => vec![equal(Width::One, 0)],
        (Kind::Tail, _) => vec![subject.test(Probe::Tail {
            bytes: Box::default(),
            whole: true,
        })],
        // The family is neither 4 nor 6.
        (Kind::Inet, _) => [(0, 3), (5, 5), (7, 0xff)]
            .map(|(low, high)| subject.range_test(Width::One, false, low, high))
            .into(),
        (Kind::Flags(width, _), absent) => {
            let mut tests = vec![equal(*width, 0)];
            tests.extend(
                absent
                    .filter(|bits| *bits != 0)
                    .map(|bits| equal(*width, bits)),
            );
            tests
        }
        (Kind::Bytes(size), Some(bits)) => vec![subject.repeated(bits, *size)],
        (Kind::Ipv6, Some(bits)) => vec![subject.repeated(bits, 16)],
        (Kind::Bool, Some(bits)) => vec![equal(Width::One, bits)],
        (Kind::Device, Some(bits)) => vec![equal(Width::Four, bits)],
        (
            Kind::Unsigned(width, _)
            | Kind::Signed(width)
            | Kind::Hex(width)
            | Kind::Name(width, _),
            Some(bits),
        ) => vec![equal(*width, bits)],
        // Never absent.
        (_, _) => Vec::new(),
    }
}

/// A column whose values are tested.
struct Subject<'a> {
    column: &'a Column,
}

impl Subject<'_> {
    fn test(&self, probe: Probe) -> Test {
        let place = match self.column.kind {
            Kind::Tail => Place::Tail,
            _ => Place::At(self.column.offset),
        };
        Test {
            place,
            probe,
            negated: false,
        }
    }

    fn range_test(&self, width: Width, signed: bool, low: u64, high: u64) -> Test {
        self.test(Probe::Range {
            width,
            signed,
            low,
            high,
        })
    }

    /// The bytes of a value repeat an integer.
    fn repeated(&self, bits: u64, size: usize) -> Test {
        let bytes = bits.to_ne_bytes().into_iter().cycle().take(size);
        self.begins(bytes.collect(), 8 * size)
    }

    fn begins(&self, bytes: Box<[u8]>, bits: usize) -> Test {
        self.test(Probe::Begins { bytes, bits })
    }

    fn no_value(&self, text: &[u8], suggestion: Option<Box<str>>) -> Wrong {
        Wrong::NoValue {
            column: self.column.name.as_str().into(),
            kind: self.kind(),
            value: String::from_utf8_lossy(text).into(),
            suggestion,
        }
    }

    fn no_order(&self, instead: &'static str) -> Wrong {
        Wrong::NoOrder {
            column: self.column.name.as_str().into(),
            kind: self.kind(),
            instead,
        }
    }

    /// The kind of the values, for messages.
    fn kind(&self) -> Box<str> {
        match self.column.kind {
            Kind::Text(capacity) => format!("text of at most {capacity} bytes"),
            _ => self.column.kind.describe(),
        }
        .into()
    }

    fn exactly(&self, text: &[u8]) -> Result<Operand, Wrong> {
        let wrong = || self.no_value(text, None);
        let tests = match &self.column.kind {
            Kind::Text(capacity) => vec![self.text(text, *capacity).ok_or_else(wrong)?],
            Kind::Tail => vec![self.test(Probe::Tail {
                bytes: text.into(),
                whole: true,
            })],
            Kind::Name(width, names) => self.name(*width, names, text)?,
            Kind::Bits(_, shown) if let Kind::Name(width, names) = &**shown => {
                let value = self.named(names, text)?;
                let number = match names.is_signed() {
                    true => width.extend(value).into(),
                    false => value.into(),
                };
                self.numbers(number, number)
            }
            Kind::Flags(width, names) => {
                let mask = match units::number(text) {
                    Some(mask) => u64::try_from(mask).map_err(|_| wrong())?,
                    None => self.named(names, text)?,
                };
                // The empty set is written as no value.
                if mask == 0 {
                    return Err(wrong());
                }
                return Ok(Operand {
                    tests: vec![self.test(Probe::AnyBit {
                        width: *width,
                        mask,
                    })],
                    unless_absent: true,
                });
            }
            Kind::Bool => {
                let value = boolean(text).ok_or_else(wrong)?;
                self.booleans(value)
            }
            Kind::Bits(_, shown) if **shown == Kind::Bool => {
                let value = boolean(text).ok_or_else(wrong)?;
                match value {
                    true => self.numbers(1, i128::from(u64::MAX)),
                    false => self.numbers(0, 0),
                }
            }
            Kind::Device => {
                let device = device(text).ok_or_else(wrong)?;
                without(self.column.absent, device, device)
                    .map(|(low, high)| self.range_test(Width::Four, false, low, high))
                    .collect()
            }
            Kind::Bytes(size) => {
                let (bytes, bits) = hexadecimal(text).ok_or_else(wrong)?;
                if bits != 8 * size {
                    return Err(wrong());
                }
                return Ok(Operand {
                    tests: vec![self.begins(bytes, bits)],
                    unless_absent: true,
                });
            }
            Kind::Inet | Kind::Ipv6 => {
                return Ok(Operand {
                    tests: self.block(text).ok_or_else(wrong)?,
                    unless_absent: true,
                });
            }
            Kind::Float(width) => {
                let number = float(text).ok_or_else(wrong)?;
                vec![self.floats(*width, number, number)]
            }
            Kind::Unsigned(..)
            | Kind::Signed(_)
            | Kind::Hex(_)
            | Kind::Pointer { .. }
            | Kind::Bits(..) => {
                let number = self.number(text).ok_or_else(wrong)?;
                let (least, most) = self.bounds();
                if !(least..=most).contains(&number) {
                    return Err(wrong());
                }
                self.numbers(number, number)
            }
            Kind::MapKey | Kind::MapValue => return Err(wrong()),
        };
        Ok(Operand::of(tests))
    }

    fn begins_with(&self, text: &[u8]) -> Result<Operand, Wrong> {
        let tests = match &self.column.kind {
            // Every text begins with nothing; no text at all is absent.
            Kind::Text(_) | Kind::Tail if text.is_empty() => {
                absent(self.column).into_iter().map(Test::negated).collect()
            }
            Kind::Text(capacity) if text.len() > *capacity => {
                return Err(self.no_value(text, None));
            }
            Kind::Text(_) => vec![self.begins(text.into(), 8 * text.len())],
            Kind::Tail => vec![self.test(Probe::Tail {
                bytes: text.into(),
                whole: false,
            })],
            Kind::Name(width, names) => {
                let named = names.iter().filter(|(value, name)| {
                    self.column.absent != Some(*value) && begins(name, text)
                });
                let tests: Vec<_> = named
                    .map(|(value, _)| self.range_test(*width, false, value, value))
                    .collect();
                if tests.is_empty() {
                    return Err(self.no_value(text, None));
                }
                tests
            }
            Kind::Bytes(size) => {
                let (bytes, bits) = hexadecimal(text)
                    .filter(|(_, bits)| *bits <= 8 * size)
                    .ok_or_else(|| self.no_value(text, None))?;
                return Ok(Operand {
                    tests: vec![self.begins(bytes, bits)],
                    unless_absent: true,
                });
            }
            kind => {
                return Err(Wrong::NoPrefix {
                    column: self.column.name.as_str().into(),
                    kind: self.kind(),
                    ordered: has_order(kind),
                });
            }
        };
        Ok(Operand::of(tests))
    }

    fn between(&self, low: &[u8], high: &[u8]) -> Result<Operand, Wrong> {
        match &self.column.kind {
            // Text has no ranges, and its dots are dots.
            Kind::Text(_) | Kind::Tail => self.exactly(&[low, b"..", high].concat()),
            Kind::Float(width) => {
                let end = |text: &[u8], none| match text {
                    [] => Ok(none),
                    text => float(text).ok_or_else(|| self.no_value(text, None)),
                };
                let (low, high) = (end(low, f64::NEG_INFINITY)?, end(high, f64::INFINITY)?);
                match low <= high {
                    true => Ok(Operand::of(vec![self.floats(*width, low, high)])),
                    false => Err(Wrong::EmptyRange),
                }
            }
            kind if has_order(kind) => {
                let (least, most) = self.bounds();
                let end = |text: &[u8], none| match text {
                    [] => Ok(none),
                    text => self.number(text).ok_or_else(|| self.no_value(text, None)),
                };
                let (low, high) = (end(low, least)?, end(high, most)?);
                // An end that was left out may lie on the wrong side of the other.
                if low > high && low <= most && high >= least {
                    return Err(Wrong::EmptyRange);
                }
                Ok(Operand::of(self.numbers(low, high)))
            }
            Kind::Inet | Kind::Ipv6 => {
                Err(self.no_order("write an address, or a block such as 10.0.0.0%2F8"))
            }
            _ => Err(self.no_order("name each value: the same column twice means either")),
        }
    }

    /// A number of the column's unit, as it is shown.
    fn number(&self, text: &[u8]) -> Option<i128> {
        match self.column.kind {
            Kind::Unsigned(_, Unit::Nanoseconds) => units::duration(text),
            _ => units::number(text),
        }
    }

    /// The least and the largest number that the column can show.
    fn bounds(&self) -> (i128, i128) {
        let (width, signed) = match &self.column.kind {
            Kind::Signed(width) => (*width, true),
            Kind::Bits(field, shown) => return field.bounds(matches!(**shown, Kind::Signed(_))),
            Kind::Unsigned(width, Unit::Pages(shift)) => {
                return (0, i128::from(width.most()) << shift);
            }
            Kind::Unsigned(width, _) | Kind::Hex(width) => (*width, false),
            _ => (Width::Eight, false),
        };
        match signed {
            true => (
                -i128::from(width.most() >> 1) - 1,
                i128::from(width.most() >> 1),
            ),
            false => (0, width.most().into()),
        }
    }

    /// The tests for numbers from `low` to `high`, as they are shown.
    fn numbers(&self, low: i128, high: i128) -> Vec<Test> {
        let (least, most) = self.bounds();
        let (mut low, mut high) = (low.max(least), high.min(most));
        if let Kind::Unsigned(_, Unit::Pages(shift)) = self.column.kind {
            low = (low + (1 << shift) - 1) >> shift;
            high >>= shift;
        }
        if low > high {
            return Vec::new();
        }
        if let Kind::Bits(field, shown) = &self.column.kind {
            return vec![self.test(Probe::BitField {
                field: *field,
                signed: matches!(&**shown, Kind::Signed(_))
                    || matches!(&**shown, Kind::Name(_, names) if names.is_signed()),
                low: low as u64,
                high: high as u64,
            })];
        }
        let (width, signed) = match &self.column.kind {
            Kind::Signed(width) => (*width, true),
            Kind::Unsigned(width, _) | Kind::Hex(width) => (*width, false),
            _ => (Width::Eight, false),
        };
        let absent = self.column.absent.map(|bits| match signed {
            true => i128::from(width.extend(bits)),
            false => i128::from(bits),
        });
        let parts = match absent {
            Some(absent) if (low..=high).contains(&absent) => {
                [(low, absent - 1), (absent + 1, high)]
            }
            // The second part is empty.
            _ => [(low, high), (1, 0)],
        };
        let parts = parts.into_iter().filter(|(low, high)| low <= high);
        parts
            .map(|(low, high)| self.range_test(width, signed, low as u64, high as u64))
            .collect()
    }

    fn floats(&self, width: Width, low: f64, high: f64) -> Test {
        self.test(Probe::Float { width, low, high })
    }

    fn booleans(&self, value: bool) -> Vec<Test> {
        let (low, high) = if value { (1, 0xff) } else { (0, 0) };
        without(self.column.absent, low, high)
            .map(|(low, high)| self.range_test(Width::One, false, low, high))
            .collect()
    }

    /// The tests for one name, or for a number that has no name.
    fn name(&self, width: Width, names: &Names, text: &[u8]) -> Result<Vec<Test>, Wrong> {
        let value = self.named(names, text)?;
        Ok(without(self.column.absent, value, value)
            .map(|(low, high)| self.range_test(width, false, low, high))
            .collect())
    }

    /// The value with this name, whatever its case if that is unambiguous, or this number.
    fn named(&self, names: &Names, text: &[u8]) -> Result<u64, Wrong> {
        let exact = names.iter().find(|(_, name)| name.as_bytes() == text);
        let mut similar = names
            .iter()
            .filter(|(_, name)| name.as_bytes().eq_ignore_ascii_case(text));
        let found = exact.or_else(|| similar.next().filter(|_| similar.next().is_none()));
        if let Some((value, _)) = found {
            return Ok(value);
        }
        let width = match &self.column.kind {
            Kind::Name(width, _) | Kind::Flags(width, _) => *width,
            _ => Width::Eight,
        };
        if let Some(number) = units::number(text) {
            let fits = i64::try_from(number).map(|number| width.truncate(number));
            let fits = fits.or_else(|_| u64::try_from(number));
            return fits.map_err(|_| self.no_value(text, None));
        }
        let word = String::from_utf8_lossy(text);
        let suggestion = most_similar(&word, names.iter().map(|(_, name)| name));
        Err(self.no_value(text, suggestion))
    }

    /// The whole text of a field.
    fn text(&self, text: &[u8], capacity: usize) -> Option<Test> {
        let mut bytes = text.to_vec();
        if bytes.len() < capacity {
            bytes.push(0);
        }
        let bits = 8 * bytes.len();
        (bytes.len() <= capacity).then(|| self.begins(bytes.into(), bits))
    }

    /// The tests for an address or a block of addresses. A block of IPv4 contains the same
    /// addresses mapped to IPv6 (RFC 4291, 2.5.5.2) as well.
    fn block(&self, text: &[u8]) -> Option<Vec<Test>> {
        let text = std::str::from_utf8(text).ok()?;
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address.parse().ok()?, Some(prefix_length(length)?)),
            None => (text.parse().ok()?, None),
        };
        let of_inet = self.column.kind == Kind::Inet;
        let length_up_to = |most: usize| Some(length.unwrap_or(most)).filter(|bits| *bits <= most);
        let six = |address: Ipv6Addr, bits: usize| {
            let octets = address.octets();
            match of_inet {
                true => self.begins([&[6], &octets[..]].concat().into(), 8 + bits),
                false => self.begins(octets.into(), bits),
            }
        };
        Some(match address {
            IpAddr::V6(address) => vec![six(address, length_up_to(128)?)],
            IpAddr::V4(address) => {
                let bits = length_up_to(32)?;
                let mut tests = vec![six(address.to_ipv6_mapped(), 96 + bits)];
                if of_inet {
                    tests.insert(0, self.four(address, bits));
                }
                tests
            }
        })
    }

    fn four(&self, address: Ipv4Addr, bits: usize) -> Test {
        self.begins([&[4], &address.octets()[..]].concat().into(), 8 + bits)
    }
}

/// Whether the values of a kind can be compared as integers.
pub(super) fn has_order(kind: &Kind) -> bool {
    match kind {
        Kind::Unsigned(..) | Kind::Signed(_) | Kind::Hex(_) => true,
        Kind::Pointer { shown } => *shown,
        Kind::Bits(_, shown) => has_order(shown),
        Kind::Bool
        | Kind::Float(_)
        | Kind::Bytes(_)
        | Kind::Device
        | Kind::Name(..)
        | Kind::Flags(..)
        | Kind::Text(_)
        | Kind::Tail
        | Kind::Ipv6
        | Kind::Inet
        | Kind::MapKey
        | Kind::MapValue => false,
    }
}
