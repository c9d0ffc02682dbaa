//! Bytes that a read gets out of a window.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

/// A thread keeps the memory of the last joined piece that it drops, up to this size: as
/// much as cat(1) and most programs read at a time.
const MAX_REUSED: usize = 128 * 1024;

thread_local! {
    static JOINED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that can be used without the lock of the window.
#[derive(Debug)]
pub(super) enum Piece {
    /// A range of one chunk, which the window shares.
    Shared(Arc<Vec<u8>>, Range<usize>),
    /// Bytes of several chunks, copied.
    Joined(Vec<u8>),
}

impl Piece {
    /// Joins parts of chunks that are `size` bytes together.
    pub(super) fn join<'a>(size: usize, parts: impl Iterator<Item = &'a [u8]>) -> Piece {
        let mut joined = JOINED.try_with(Cell::take).unwrap_or_default();
        joined.clear();
        joined.reserve_exact(size);
        parts.for_each(|part| joined.extend_from_slice(part));
        Piece::Joined(joined)
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Piece::Shared(bytes, range) => &bytes[range.clone()],
            Piece::Joined(bytes) => bytes,
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Piece::Joined(bytes) = self
            && bytes.capacity() <= MAX_REUSED
        {
            // A thread that is about to end keeps nothing.
            let _ = JOINED.try_with(|joined| joined.set(std::mem::take(bytes)));
        }
    }
}
