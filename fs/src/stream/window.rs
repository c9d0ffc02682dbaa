//! The bytes that a stream keeps: some behind its reader, some ahead.

use super::piece::Piece;
use crate::access::memory::Share;
use crate::access::quota::{Account, Charge};
use std::collections::VecDeque;
use std::sync::Arc;

/// A smaller front of a chunk is not worth a copy of the rest to be rid of it.
const SMALL: u64 = 16 * 1024;

/// A stretch of a stream.
#[derive(Debug)]
pub(super) struct Window {
    /// The chunks that are kept, in order and without gaps.
    chunks: VecDeque<Chunk>,
    /// The end of the last chunk: the number of bytes that were ever produced.
    end: u64,
    /// The furthest end of a read.
    position: u64,
    /// The offset of the first read that waits. Bytes from there on stay.
    waited_for: Option<u64>,
    /// The memory of a chunk, to be used again.
    spare: Option<(Vec<u8>, Charge)>,
    /// The account that the bytes are charged to.
    account: Arc<Account>,
}

/// Bytes that were produced together.
#[derive(Debug)]
pub(super) struct Chunk {
    start: u64,
    bytes: Arc<Vec<u8>>,
    charge: Charge,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Gives up memory beyond its bytes, unless a read is just being answered with them.
    fn shrink(&mut self) {
        if let Some(bytes) = Arc::get_mut(&mut self.bytes) {
            bytes.shrink_to_fit();
            self.charge.reduce(bytes.capacity());
        }
    }
}

/// The outcome of a search for bytes at an offset.
#[derive(Debug)]
pub(super) enum Found {
    /// At least one byte.
    Bytes(Piece),
    /// The bytes were not produced yet.
    NotYet,
    /// The bytes are no longer kept.
    TooFarBack,
}

impl Window {
    /// An empty window, whose bytes are charged to an account.
    pub(super) fn charged_to(account: Arc<Account>) -> Window {
        Window {
            chunks: VecDeque::new(),
            end: 0,
            position: 0,
            waited_for: None,
            spare: None,
            account,
        }
    }

    /// The number of bytes that it may keep now.
    pub(super) fn share(&self) -> Share {
        self.account.share()
    }

    /// Charges bytes to the account that are kept here or elsewhere.
    pub(super) fn charge(&self, bytes: usize) -> Charge {
        self.account.keep(bytes)
    }

    /// Appends bytes that were produced.
    pub(super) fn push(&mut self, mut bytes: Vec<u8>) {
        let share = self.share();
        if bytes.is_empty() {
            self.save(bytes, share);
            return;
        }
        if !share.is_plenty() {
            bytes.shrink_to_fit();
        }
        let chunk = Chunk {
            start: self.end,
            charge: self.charge(bytes.capacity()),
            bytes: Arc::new(bytes),
        };
        self.end = chunk.end();
        self.chunks.push_back(chunk);
        self.forget(share);
    }

    /// Finds `size` bytes at `offset` for a read, and moves the window there. Unless
    /// `partial`, the read gets either all of its bytes or none yet.
    pub(super) fn find(&mut self, offset: u64, size: usize, partial: bool) -> Found {
        let start = self.chunks.front().map_or(self.end, |chunk| chunk.start);
        if offset < start {
            return Found::TooFarBack;
        }
        let wanted = offset.saturating_add(size as u64);
        if wanted > self.end && !partial {
            self.position = self.position.max(offset);
            self.forget(self.share());
            return Found::NotYet;
        }
        let end = wanted.min(self.end);
        self.position = self.position.max(offset.max(end));
        let found = match self.piece(offset, end) {
            Some(piece) => Found::Bytes(piece),
            None => Found::NotYet,
        };
        self.forget(self.share());
        found
    }

    /// Keeps bytes from this offset on, for reads that wait. The kernel cuts a large
    /// asynchronous read into parts, which arrive together and in any order.
    pub(super) fn keep_from(&mut self, waited_for: Option<u64>) {
        self.waited_for = waited_for;
    }

    /// The number of bytes that were produced and not read yet: 0 if the reader skips ahead.
    pub(super) fn ahead(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    /// The furthest end of a read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The number of bytes that were ever produced.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Memory for the next chunk, if the window has given some up.
    pub(super) fn spare(&mut self) -> Option<Vec<u8>> {
        self.spare.take().map(|(memory, _)| memory)
    }

    /// Gives up whatever exceeds its share, to the byte. The caller should drop the chunks
    /// without a lock.
    pub(super) fn trim(&mut self) -> Vec<Chunk> {
        let share = self.share();
        let start = self.kept_from(share);
        let mut given_up = Vec::new();
        while let Some(chunk) = self.chunks.front()
            && chunk.end() <= start
        {
            given_up.extend(self.chunks.pop_front());
        }
        if let Some(front) = self.chunks.front_mut()
            && start >= front.start + SMALL
        {
            let rest = front.bytes[(start - front.start) as usize..].to_vec();
            let rest = Chunk {
                start,
                charge: self.account.keep(rest.capacity()),
                bytes: Arc::new(rest),
            };
            given_up.push(std::mem::replace(front, rest));
        }
        for chunk in &mut self.chunks {
            chunk.shrink();
        }
        if !share.is_plenty() {
            self.spare = None;
        }
        given_up
    }

    /// Gives up everything.
    pub(super) fn clear(&mut self) -> Vec<Chunk> {
        self.chunks.drain(..).collect()
    }

    /// The number of bytes that are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// The bytes from `offset` to `end`, which were produced and are kept.
    fn piece(&self, offset: u64, end: u64) -> Option<Piece> {
        if offset >= end {
            return None;
        }
        let first = self.chunks.partition_point(|chunk| chunk.end() <= offset);
        let chunk = self.chunks.get(first)?;
        let at = (offset - chunk.start) as usize;
        if end <= chunk.end() {
            let range = at..(end - chunk.start) as usize;
            return Some(Piece::Shared(Arc::clone(&chunk.bytes), range));
        }
        let others = self.chunks.range(first + 1..);
        let others = others.take_while(|chunk| chunk.start < end);
        let others = others.map(|chunk| {
            let rest = usize::try_from(end - chunk.start).unwrap_or(usize::MAX);
            &chunk.bytes[..rest.min(chunk.bytes.len())]
        });
        let parts = std::iter::once(&chunk.bytes[at..]).chain(others);
        Some(Piece::join((end - offset) as usize, parts))
    }

    /// The offset from which on a window with this share keeps bytes.
    fn kept_from(&self, share: Share) -> u64 {
        let behind = self.position.saturating_sub(share.behind);
        self.waited_for.map_or(behind, |from| from.min(behind))
    }

    /// Drops chunks that lie too far behind the reader.
    fn forget(&mut self, share: Share) {
        let start = self.kept_from(share);
        while let Some(chunk) = self.chunks.front()
            && chunk.end() <= start
        {
            if let Some(Chunk { bytes, charge, .. }) = self.chunks.pop_front()
                && let Ok(mut bytes) = Arc::try_unwrap(bytes)
                && share.is_plenty()
            {
                bytes.clear();
                self.spare = Some((bytes, charge));
            }
        }
    }

    /// Keeps memory for the next chunk, if there is plenty.
    fn save(&mut self, memory: Vec<u8>, share: Share) {
        if share.is_plenty() {
            let charge = self.charge(memory.capacity());
            self.spare = Some((memory, charge));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::memory::MOST_BEHIND as BEHIND;

    fn bytes(from: u64, length: usize) -> Vec<u8> {
        (from..).take(length).map(|at| (at % 251) as u8).collect()
    }

    fn filled(chunk: usize, chunks: usize) -> Window {
        let mut window = Window::charged_to(Account::unbounded());
        for index in 0..chunks {
            window.push(bytes((index * chunk) as u64, chunk));
        }
        window
    }

    fn expect(window: &mut Window, offset: u64, size: usize) {
        match window.find(offset, size, false) {
            Found::Bytes(piece) => assert_eq!(piece.as_slice(), bytes(offset, size)),
            other => panic!("{offset}+{size}: {other:?}"),
        }
    }

    #[test]
    fn reads_within_and_across_chunks() {
        let mut window = filled(100, 10);
        expect(&mut window, 0, 100);
        expect(&mut window, 50, 10);
        expect(&mut window, 99, 2);
        expect(&mut window, 150, 700);
        assert!(matches!(window.find(1000, 1, true), Found::NotYet));
        assert!(matches!(window.find(990, 100, false), Found::NotYet));
        match window.find(990, 100, true) {
            Found::Bytes(piece) => assert_eq!(piece.as_slice(), bytes(990, 10)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mebibyte_is_kept_behind_the_reader() {
        let chunk = 64 * 1024;
        let mut window = filled(chunk, 32);
        expect(&mut window, 2 * BEHIND - 10, 10);
        expect(&mut window, BEHIND, 10);
        assert!(matches!(
            window.find(BEHIND - chunk as u64 - 1, 1, true),
            Found::TooFarBack
        ));
        assert!(window.spare().is_some_and(|bytes| bytes.is_empty()));
    }

    #[test]
    fn a_skip_ahead_drops_the_bytes_between() {
        let mut window = filled(1024, 1);
        assert!(matches!(window.find(5 * BEHIND, 1, true), Found::NotYet));
        assert_eq!(window.ahead(), 0);
        for index in 1..=5 * BEHIND / 1024 {
            window.push(bytes(index * 1024, 1024));
            assert!(window.chunks.len() as u64 <= BEHIND / 1024 + 1);
        }
        expect(&mut window, 5 * BEHIND, 1);
    }
}
