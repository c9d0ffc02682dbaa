//! The names of sets of flags, looked up once for many rows.
//!
//! Most rows have the flags of a row shortly before, and a walk through all names of a set
//! costs more than everything else about the field.

use iterfs_mapping::row::Flags;

/// Sets that a column held lately, with their bytes in the output.
#[derive(Debug, Default)]
pub(super) struct FlagCache {
    sets: [(u64, Vec<u8>); ENTRIES],
}

/// A column alternates between few sets. [`entry`] yields two bits.
const ENTRIES: usize = 4;

impl FlagCache {
    /// The bytes of a set: those in the cache, or else the output of `format`.
    pub(super) fn formatted(
        &mut self,
        flags: Flags<'_>,
        format: impl FnOnce(&mut Vec<u8>, Flags<'_>),
    ) -> &[u8] {
        let bits = flags.bits();
        let (cached, bytes) = &mut self.sets[entry(bits)];
        // No format writes a set as nothing, so an entry without bytes was never filled.
        if *cached != bits || bytes.is_empty() {
            *cached = bits;
            bytes.clear();
            format(bytes, flags);
        }
        bytes
    }
}

/// The entry of a set: a hash that keeps most sets apart that occur together.
fn entry(bits: u64) -> usize {
    (bits.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62) as usize
}
