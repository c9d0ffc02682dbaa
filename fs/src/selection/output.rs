//! Bytes that were selected and not read yet.

/// Records on their way to a reader. A record may be longer than the room that a read has.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    read: usize,
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.read == self.bytes.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves bytes to the front of `buffer`. Returns how many.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let rest = &self.bytes[self.read..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        if self.is_empty() {
            self.bytes.clear();
            self.read = 0;
        }
        count
    }
}
