//! Bit fields: integers that begin and end within bytes.

/// The position of a bit field, counted as BTF counts it: from the lowest bit of the first byte
/// on a little-endian machine, and from the highest bit on a big-endian one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Bits {
    start: u8,
    count: u8,
}

impl Bits {
    /// A field of `count` bits (1 to 64) that starts at bit `start` (0 to 7) of the first byte.
    pub fn new(start: usize, count: usize) -> Option<Bits> {
        let fits = start < 8 && (1..=64).contains(&count);
        fits.then_some(Bits {
            start: start as u8,
            count: count as u8,
        })
    }

    /// The number of bytes that the field touches, at most nine.
    pub fn bytes(self) -> usize {
        usize::from(self.start + self.count).div_ceil(8)
    }

    /// The least and the largest value of the field.
    pub(crate) fn bounds(self, signed: bool) -> (i128, i128) {
        let values = 1_i128 << self.count;
        match signed {
            true => (-values / 2, values / 2 - 1),
            false => (0, values - 1),
        }
    }

    /// The field's value in the bytes that it touches.
    #[inline]
    pub fn unsigned(self, field: &[u8]) -> u64 {
        let mut bytes = [0; 16];
        let (start, count) = (u32::from(self.start), u32::from(self.count));
        let shifted = if cfg!(target_endian = "little") {
            bytes[..field.len()].copy_from_slice(field);
            u128::from_le_bytes(bytes) >> start
        } else {
            bytes[16 - field.len()..].copy_from_slice(field);
            u128::from_be_bytes(bytes) >> (8 * field.len() as u32 - start - count)
        };
        shifted as u64 & u64::MAX >> (64 - count)
    }

    /// The field's value, with its highest bit as the sign.
    #[inline]
    pub fn signed(self, field: &[u8]) -> i64 {
        let unused = 64 - u32::from(self.count);
        (self.unsigned(field) << unused) as i64 >> unused
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_wherever_it_starts_in_its_bytes() {
        let bits = |start, count| Bits::new(start, count).unwrap();
        assert_eq!(bits(0, 8).unsigned(&[0xa5]), 0xa5);
        assert_eq!(bits(3, 2).unsigned(&[0b0001_0000]), 2);
        assert_eq!(bits(3, 2).signed(&[0b0001_0000]), -2);
        assert_eq!(bits(7, 9).bytes(), 2);
        assert_eq!(bits(7, 9).unsigned(&[0x80, 0xff]), 0x1ff);
        assert_eq!(bits(7, 64).bytes(), 9);
        assert_eq!(bits(7, 64).unsigned(&[0xff; 9]), u64::MAX);
        assert_eq!(bits(7, 64).signed(&[0xff; 9]), -1);
        assert_eq!(Bits::new(8, 1), None);
        assert_eq!(Bits::new(0, 65), None);
        assert_eq!(Bits::new(0, 0), None);
    }
}
