//! The widths of integers in a record.

use serde::{Deserialize, Serialize};

/// The number of bytes in an integer.
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

impl Width {
    /// The width of an integer with this number of bytes.
    pub fn of(bytes: usize) -> Option<Width> {
        match bytes {
            1 => Some(Width::One),
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }

    /// The number of bytes.
    pub fn bytes(self) -> usize {
        match self {
            Width::One => 1,
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => 8,
        }
    }

    #[inline]
    pub(crate) fn unsigned(self, fixed: &[u8], at: usize) -> u64 {
        match self {
            Width::One => u64::from(fixed[at]),
            Width::Two => u64::from(u16::from_ne_bytes(bytes(fixed, at))),
            Width::Four => u64::from(u32::from_ne_bytes(bytes(fixed, at))),
            Width::Eight => u64::from_ne_bytes(bytes(fixed, at)),
        }
    }

    #[inline]
    pub(crate) fn signed(self, fixed: &[u8], at: usize) -> i64 {
        self.extend(self.unsigned(fixed, at))
    }

    /// The largest unsigned number of this width.
    pub(crate) fn most(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }

    /// The floating-point number of four or eight bytes.
    #[inline]
    pub(crate) fn float(self, fixed: &[u8], at: usize) -> f64 {
        match self {
            Width::Four => f32::from_ne_bytes(bytes(fixed, at)).into(),
            Width::One | Width::Two | Width::Eight => f64::from_ne_bytes(bytes(fixed, at)),
        }
    }

    /// The signed number with these bits.
    #[inline]
    pub fn extend(self, value: u64) -> i64 {
        let unused = 64 - 8 * self.bytes() as u32;
        (value << unused) as i64 >> unused
    }

    /// The bits of `value` that fit into an integer of this width.
    pub fn truncate(self, value: i64) -> u64 {
        let unused = 64 - 8 * self.bytes() as u32;
        (value as u64) << unused >> unused
    }
}

/// The bytes of an integer in a record. The schema's offsets lie within the record, as
/// `Schema::check` ensures.
#[inline]
pub(super) fn bytes<const N: usize>(fixed: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&fixed[at..at + N]);
    array
}
