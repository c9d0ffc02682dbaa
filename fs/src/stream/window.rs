//! The bytes of a stream that are kept: some behind the reader, some ahead.

use crate::memory::Share;
use crate::quota::{Account, Charge};
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

/// The front of a chunk that is not worth a copy of its rest.
const SMALL: u64 = 16 * 1024;

/// A stretch of a stream.
#[derive(Debug)]
pub(super) struct Window {
    /// Without a gap between them.
    chunks: VecDeque<Chunk>,
    /// Where the last chunk ends: all that was produced.
    end: u64,
    /// The furthest end of a read.
    position: u64,
    /// Where the first of the reads that wait begins: what they want stays.
    waited_for: Option<u64>,
    /// A chunk's memory, to be used again.
    spare: Option<(Vec<u8>, Charge)>,
    /// Whose bytes these are.
    account: Arc<Account>,
}

/// Bytes that were made at once.
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

    /// Gives up what it has beyond its bytes, unless they are just being answered with.
    fn shrink(&mut self) {
        if let Some(bytes) = Arc::get_mut(&mut self.bytes) {
            bytes.shrink_to_fit();
            self.charge.reduce(bytes.capacity());
        }
    }
}

/// What there is at an offset.
#[derive(Debug)]
pub(super) enum Found {
    /// At least one byte.
    Bytes(Piece),
    /// Nothing yet.
    NotYet,
    /// It was there and is not kept any more.
    TooFarBack,
}

/// Bytes taken out of a window, to be used without its lock.
#[derive(Debug)]
pub(super) enum Piece {
    /// Within one chunk, shared with the window.
    Part(Arc<Vec<u8>>, std::ops::Range<usize>),
    /// Joined from several.
    Joined(Vec<u8>),
}

/// Memory of joined bytes up to this size is used again by the thread that drops it: what
/// cat and most programs ask for at once.
const REUSED: usize = 128 * 1024;

thread_local! {
    static JOINED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Piece::Joined(bytes) = self
            && bytes.capacity() <= REUSED
        {
            // A thread that ends keeps nothing.
            let _ = JOINED.try_with(|joined| joined.set(std::mem::take(bytes)));
        }
    }
}

impl Piece {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Piece::Part(bytes, range) => &bytes[range.clone()],
            Piece::Joined(bytes) => bytes,
        }
    }
}

impl Window {
    /// An empty window, to be charged to an account.
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

    /// How much may be kept in it now.
    pub(super) fn share(&self) -> Share {
        self.account.share()
    }

    /// Charges bytes that are kept, here or outside.
    pub(super) fn charge(&self, bytes: usize) -> Charge {
        self.account.keep(bytes)
    }

    /// Appends what was produced.
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

    /// What a read of `size` bytes at `offset` gets; it moves the window there.
    /// Unless `partial` will do, it gets all of its bytes or none yet.
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

    /// Keeps bytes from here on for reads that wait. The kernel cuts a large asynchronous
    /// read into parts, which come at once and in any order.
    pub(super) fn keep_from(&mut self, waited_for: Option<u64>) {
        self.waited_for = waited_for;
    }

    /// Bytes produced and not read yet; none if the reader wants to skip ahead.
    pub(super) fn ahead(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }

    /// The furthest end of a read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// All that was produced.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Memory for the next chunk, if some was given up.
    pub(super) fn spare(&mut self) -> Option<Vec<u8>> {
        self.spare.take().map(|(memory, _)| memory)
    }

    /// Gives up all that is more than its share, to the byte. What comes back should be
    /// dropped without a lock.
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

    /// Bytes kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    fn piece(&self, offset: u64, end: u64) -> Option<Piece> {
        if offset >= end {
            return None;
        }
        let first = self.chunks.partition_point(|chunk| chunk.end() <= offset);
        let chunk = self.chunks.get(first)?;
        let at = (offset - chunk.start) as usize;
        if end <= chunk.end() {
            let range = at..(end - chunk.start) as usize;
            return Some(Piece::Part(Arc::clone(&chunk.bytes), range));
        }
        let size = (end - offset) as usize;
        let mut joined = JOINED.try_with(Cell::take).unwrap_or_default();
        joined.clear();
        joined.reserve_exact(size);
        joined.extend_from_slice(&chunk.bytes[at..]);
        for chunk in self.chunks.range(first + 1..) {
            let rest = size - joined.len();
            joined.extend_from_slice(&chunk.bytes[..rest.min(chunk.bytes.len())]);
        }
        Some(Piece::Joined(joined))
    }

    /// Where begins what a reader with this share may still ask for.
    fn kept_from(&self, share: Share) -> u64 {
        let behind = self.position.saturating_sub(share.behind);
        self.waited_for.map_or(behind, |from| from.min(behind))
    }

    /// Lets go of what lies too far behind.
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
    use crate::memory::MOST_BEHIND as BEHIND;

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
    fn a_skip_ahead_lets_go_of_what_is_skipped() {
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
