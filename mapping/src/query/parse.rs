//! Reads the terms of a name.

use super::fault::{Fault, Wrong};
use super::terms::{Condition, Largest, Query, Written};
use super::units;
use std::time::Duration;

/// The most terms in a name.
const MOST_TERMS: usize = 64;

/// The shortest and the longest time between two passes.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Query {
    /// Reads the part of a file's name between the `@` and the suffix of the format.
    ///
    /// # Errors
    /// The first term that is wrong.
    pub fn parse(terms: &[u8]) -> Result<Query, Fault> {
        let mut query = Query::default();
        for (index, term) in terms.split(|byte| *byte == b',').enumerate() {
            let fault = |wrong| Fault::of(term, wrong);
            if index == MOST_TERMS {
                return Err(fault(Wrong::TooMany(MOST_TERMS)));
            }
            query.add(term).map_err(fault)?;
            query.check().map_err(fault)?;
        }
        Ok(query)
    }

    fn add(&mut self, term: &[u8]) -> Result<(), Wrong> {
        match split_once(term, b"=") {
            Some((b"top", value)) => once(&mut self.top, largest(value)?),
            Some((b"first", value)) => once(&mut self.first, count(value, u64::MAX)?),
            Some((b"every", value)) => once(&mut self.every, interval(value)?),
            Some((column, value)) => {
                let (column, negated) = match column.strip_suffix(b"!") {
                    Some(column) => (column, true),
                    None => (column, false),
                };
                self.conditions.push(Condition {
                    column: name(column)?,
                    negated,
                    value: written(value)?,
                });
                Ok(())
            }
            None if term == b"whole" && self.whole => Err(Wrong::Again),
            None if term == b"whole" => {
                self.whole = true;
                Ok(())
            }
            None => self.add_column(term),
        }
    }

    fn add_column(&mut self, term: &[u8]) -> Result<(), Wrong> {
        let (column, list) = match term.strip_prefix(b"+") {
            Some(column) => (column, &mut self.columns.also),
            None => (term, &mut self.columns.only),
        };
        list.push(name(column)?);
        let mut all = self.columns.only.iter().chain(&self.columns.also);
        let last = name(column)?;
        match all.by_ref().filter(|column| **column == last).count() {
            1 => Ok(()),
            _ => Err(Wrong::Twice),
        }
    }

    /// Refuses terms that exclude each other.
    fn check(&self) -> Result<(), Wrong> {
        if self.whole && self.every.is_some() {
            let why = "a file with a size ends";
            return Err(Wrong::Together("whole", "every", why));
        }
        if self.top.is_some() && self.first.is_some() {
            let why = "top=N:COLUMN already says how many rows";
            return Err(Wrong::Together("top", "first", why));
        }
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Wrong> {
    match place.replace(value) {
        Some(_) => Err(Wrong::Again),
        None => Ok(()),
    }
}

/// The name of a column.
fn name(bytes: &[u8]) -> Result<Box<str>, Wrong> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.[]".contains(byte);
    match std::str::from_utf8(bytes) {
        Ok("") => Err(Wrong::Empty),
        Ok(name) if bytes.iter().all(allowed) => Ok(name.into()),
        _ => Err(Wrong::Name),
    }
}

/// The value of a condition. A star or two dots that are percent-encoded are text.
fn written(value: &[u8]) -> Result<Written, Wrong> {
    if value.is_empty() {
        return Ok(Written::Absent);
    }
    if let Some(text) = value.strip_suffix(b"*") {
        return Ok(Written::BeginsWith(decoded(text)?));
    }
    match split_once(value, b"..") {
        Some((low, high)) => Ok(Written::Between(decoded(low)?, decoded(high)?)),
        None => Ok(Written::Exactly(decoded(value)?)),
    }
}

/// Resolves percent-encoding (RFC 3986, 2.1).
fn decoded(text: &[u8]) -> Result<Box<[u8]>, Wrong> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {}
            0 => return Err(Wrong::Encoding),
            byte => {
                bytes.push(*byte);
                continue;
            }
        }
        let mut digit = || char::from(*rest.next()?).to_digit(16);
        let byte = digit().zip(digit()).map(|(high, low)| high << 4 | low);
        match byte.and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte @ 1..) => bytes.push(byte),
            _ => return Err(Wrong::Encoding),
        }
    }
    Ok(bytes.into())
}

fn largest(value: &[u8]) -> Result<Largest, Wrong> {
    let (rows, column) = split_once(value, b":").ok_or(Wrong::Top)?;
    let rows = count(rows, Largest::MOST.into())?;
    let (column, smallest) = match column.strip_prefix(b"-") {
        Some(column) => (column, true),
        None => (column, false),
    };
    Ok(Largest {
        count: u32::try_from(rows).map_err(|_| Wrong::Count(Largest::MOST.into()))?,
        column: name(column).map_err(|_| Wrong::Top)?,
        smallest,
    })
}

fn count(value: &[u8], most: u64) -> Result<u64, Wrong> {
    let number = units::number(value).and_then(|number| u64::try_from(number).ok());
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or(Wrong::Count(most))
}

fn interval(value: &[u8]) -> Result<Duration, Wrong> {
    let nanoseconds = units::duration(value).and_then(|number| u64::try_from(number).ok());
    nanoseconds
        .map(Duration::from_nanos)
        .filter(|interval| (SHORTEST..=LONGEST).contains(interval))
        .ok_or(Wrong::Every)
}

/// Splits bytes at the first occurrence of a separator.
fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(separator.len())
        .position(|window| window == separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}
