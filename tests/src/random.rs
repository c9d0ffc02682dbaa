//! Bytes that nobody chose, the same in each run.

/// A source of numbers (xorshift64, Marsaglia 2003).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// One that begins here; not at 0.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// At most so many bytes, and at least one.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = 1 + self.below(most);
        (0..length).map(|_| self.byte()).collect()
    }

    /// One of these.
    pub fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// Some bytes with a few put in, taken out, doubled or changed.
    pub fn mutated(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let byte = match self.below(3) {
                0 => self.byte(),
                _ => *self
                    .one_of(&[b" ", b"\n", b"/", b".", b"\\", b"=", b"0", b"\0"])
                    .first()
                    .unwrap_or(&b' '),
            };
            match self.below(4) {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.extend_from_within(at..),
                _ if at < bytes.len() => bytes[at] = byte,
                _ => {}
            }
        }
        match bytes.is_empty() {
            true => vec![b'x'],
            false => bytes,
        }
    }
}
