//! The order of rows by the value of a column.

use iterfs_mapping::query;
use iterfs_mapping::row::{Record, Value};

/// The rank of a value: the greater, the earlier its row is shown. Values that are absent, and
/// floating-point numbers that are none, are ranked below all others.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Rank {
    Absent,
    NotANumber,
    Number(u64),
}

impl Rank {
    /// The rank of a record among those of its table.
    #[inline]
    pub(super) fn of(record: Record<'_>, top: &query::Top) -> Rank {
        let number = match top.column.value(record) {
            Value::Unsigned(number) | Value::Hex(number) => number,
            Value::Signed(number) => number.cast_unsigned() ^ SIGN,
            Value::Float(number) if number.is_nan() => return Rank::NotANumber,
            Value::ShortFloat(number) if number.is_nan() => return Rank::NotANumber,
            Value::Float(number) => float(number),
            Value::ShortFloat(number) => float(number.into()),
            // No other kind has an order, which the question was checked for.
            _ => return Rank::Absent,
        };
        Rank::Number(if top.smallest { !number } else { number })
    }
}

const SIGN: u64 = 1 << 63;

/// An integer that is ordered as the number is. Both zeros are equal.
fn float(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_are_ordered_as_floating_point_numbers_are(
            one in proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::INFINITE,
            other in proptest::num::f64::ANY.prop_filter("a number", |other| !other.is_nan()),
        ) {
            let expected = one.partial_cmp(&other).unwrap();
            prop_assert_eq!(float(one).cmp(&float(other)), expected);
        }
    }

    #[test]
    fn both_zeros_are_equal() {
        assert_eq!(float(0.0), float(-0.0));
        assert!(float(f64::NEG_INFINITY) < float(-1.0));
    }
}
