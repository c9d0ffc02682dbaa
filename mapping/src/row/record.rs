//! Cuts a byte stream into records.

use super::schema::Schema;

/// One record: the fixed part and the string that follows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    pub(super) fixed: &'a [u8],
    pub(super) tail: &'a [u8],
}

impl<'a> Record<'a> {
    /// The part of fixed size.
    #[inline]
    pub fn fixed(self) -> &'a [u8] {
        self.fixed
    }

    /// The string at the end of the record.
    #[inline]
    pub fn tail(self) -> &'a [u8] {
        self.tail
    }
}

/// Iterates over the whole records at the front of a buffer.
#[derive(Debug)]
pub struct Records<'a> {
    schema: &'a Schema,
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The records in `bytes`, which must start at the beginning of a record.
    pub fn new(schema: &'a Schema, bytes: &'a [u8]) -> Records<'a> {
        Records {
            schema,
            rest: bytes,
        }
    }

    /// The number of bytes at the front of `bytes` that are whole records.
    pub fn whole(schema: &Schema, bytes: &[u8]) -> usize {
        if schema.tail_length.is_none() {
            return bytes.len() - bytes.len() % schema.fixed_size;
        }
        let mut records = Records::new(schema, bytes);
        (&mut records).for_each(drop);
        bytes.len() - records.rest.len()
    }

    /// The bytes that are left: the beginning of a record whose end has not arrived yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let (fixed, after) = self.rest.split_at_checked(self.schema.fixed_size)?;
        let length = match self.schema.tail_length {
            Some(at) => usize::from(u16::from_ne_bytes([fixed[at], fixed[at + 1]])),
            None => 0,
        };
        let (tail, rest) = after.split_at_checked(length)?;
        self.rest = rest;
        Some(Record { fixed, tail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Column, Kind, Unit, Value, Width};
    use proptest::prelude::*;

    fn schema() -> Schema {
        Schema {
            row: "a pair".into(),
            fixed_size: 6,
            tail_length: Some(4),
            columns: vec![
                Column::new("number", 0, Kind::Unsigned(Width::Four, Unit::None)),
                Column::new("text", 6, Kind::Tail),
            ],
        }
    }

    fn encode(rows: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, text) in rows {
            bytes.extend(number.to_ne_bytes());
            bytes.extend((text.len() as u16).to_ne_bytes());
            bytes.extend(text);
        }
        bytes
    }

    proptest! {
        #[test]
        fn records_come_back_wherever_the_stream_is_cut(
            rows in proptest::collection::vec((any::<u32>(), proptest::collection::vec(1u8.., 1..40)), 0..20),
            cuts in proptest::collection::vec(1usize..50, 1..30),
        ) {
            let schema = schema();
            let bytes = encode(&rows);
            let mut decoded = Vec::new();
            let mut pending = Vec::new();
            let mut cuts = cuts.into_iter().cycle();
            let mut input = bytes.as_slice();
            while !input.is_empty() {
                let (now, later) = input.split_at(cuts.next().unwrap().min(input.len()));
                input = later;
                pending.extend_from_slice(now);
                let mut records = Records::new(&schema, &pending);
                for record in &mut records {
                    let Value::Unsigned(number) = schema.columns[0].value(record) else { panic!() };
                    let Value::Text(text) = schema.columns[1].value(record) else { panic!() };
                    decoded.push((number as u32, text.to_vec()));
                }
                pending = records.rest().to_vec();
            }
            prop_assert!(pending.is_empty());
            prop_assert_eq!(decoded, rows);
        }
    }
}
