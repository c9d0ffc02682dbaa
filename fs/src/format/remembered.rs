//! Sets of flags, spelled once for many rows.
//!
//! A file's flags are mostly those of the row before; going through all their
//! names for each row costs more than the rest of the field.

use iterfs_bpf::schema::Flags;

/// The sets a column had last, with their spellings.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    sets: [(u64, Vec<u8>); PLACES],
}

/// Few: what differs from row to row differs in a few ways.
const PLACES: usize = 4;

impl Remembered {
    /// The spelling of a set, by `spell` if it is not remembered.
    pub(super) fn spelled(
        &mut self,
        flags: Flags<'_>,
        spell: impl FnOnce(&mut Vec<u8>, Flags<'_>),
    ) -> &[u8] {
        let bits = flags.bits();
        let (known, spelling) = &mut self.sets[place(bits)];
        // An empty spelling is of the set that was never asked for.
        if *known != bits || spelling.is_empty() {
            *known = bits;
            spelling.clear();
            spell(spelling, flags);
        }
        spelling
    }
}

/// Sets that occur together get places of their own, mostly.
fn place(bits: u64) -> usize {
    (bits.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62) as usize
}
