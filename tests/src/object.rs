//! The bytes of an object file, to be changed in ways that no compiler does.

use crate::random::Random;
use std::fs;
use std::ops::Range;
use std::path::Path;

/// What a section .BTF begins with: its magic number, version, flags and the length of
/// its header (include/uapi/linux/btf.h, struct btf_header); .BTF.ext has a longer one.
const BTF_HEADER: [u8; 8] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0];

/// An object file in memory.
pub struct Object {
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Object {
    /// Reads a file.
    pub fn read(path: &Path) -> Object {
        let bytes = fs::read(path).expect("an object");
        Object { bytes }
    }

    /// Where its BTF is: the types and their strings.
    pub fn btf(&self) -> (Range<usize>, Range<usize>) {
        let start = find(&self.bytes, &BTF_HEADER).expect("a section .BTF");
        let field = |index: usize| {
            let at = start + BTF_HEADER.len() + 4 * index;
            let bytes = self.bytes[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes) as usize
        };
        let data = start + 24;
        let (types, strings) = (data + field(0), data + field(2));
        (types..types + field(1), strings..strings + field(3))
    }

    /// Gives a name in its BTF other bytes, as many.
    pub fn rename_in_btf(&mut self, name: &str, bytes: &[u8]) {
        assert_eq!(name.len(), bytes.len(), "a name of the same length");
        let (_, strings) = self.btf();
        let whole = [b"\0", name.as_bytes(), b"\0"].concat();
        let at = find(&self.bytes[strings.clone()], &whole).expect("the name");
        let at = strings.start + at + 1;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The same with a few bytes changed, mostly where what reads it goes by them: in its
    /// headers and its types. At times it is cut short.
    pub fn mutated(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let (types, strings) = self.btf();
        // 64-bit ELF: its header, and the table of sections to which that leads.
        let field = bytes[40..48].try_into().expect("eight bytes");
        let sections = usize::try_from(u64::from_le_bytes(field)).expect("an offset");
        let places = [
            0..64,
            sections..bytes.len(),
            types.start - 24..types.start,
            types,
            strings,
            0..bytes.len(),
        ];
        for _ in 0..=random.below(6) {
            let place = &places[random.below(places.len())];
            let at = place.start + random.below(place.len());
            bytes[at] = match random.below(4) {
                0 => random.byte(),
                1 => bytes[at] ^ 1 << random.below(8),
                2 => 0xff,
                _ => bytes[at].wrapping_add(1),
            };
        }
        if random.below(20) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        bytes
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted)
}
