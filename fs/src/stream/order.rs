//! Puts chunks into the order of their file.

use super::batch::Place;
use super::maker::Chunk;
use super::window::Window;
use crate::error::Result;
use crate::format::Framing;
use crate::quota::Charge;
use std::collections::BTreeMap;

/// Hands chunks to the window, each when those before it are there.
pub(super) struct Order {
    /// What goes out next.
    next: Place,
    /// The number of parts.
    parts: usize,
    /// What was made before its turn.
    behind: BTreeMap<Place, (Chunk, Charge)>,
    behind_bytes: usize,
    any_rows: bool,
    end: Option<Result<()>>,
}

impl Order {
    pub(super) fn new(parts: usize) -> Order {
        Order {
            next: Place::FIRST,
            parts,
            behind: BTreeMap::new(),
            behind_bytes: 0,
            any_rows: false,
            end: None,
        }
    }

    /// Bytes that wait for their turn.
    pub(super) fn behind(&self) -> usize {
        self.behind_bytes
    }

    /// How it ended, once all is handed out that ever will be.
    pub(super) fn end(&self) -> Option<&Result<()>> {
        self.end.as_ref()
    }

    /// Hands out a chunk and what waited for it, or has it wait. Says whether the pass
    /// stalled: the last that went out is of objects that give no row.
    pub(super) fn take(
        &mut self,
        chunk: Chunk,
        window: &mut Window,
        framing: &Framing,
    ) -> bool {
        if self.end.is_some() {
            return false;
        }
        if self.next != chunk.place {
            self.behind_bytes += chunk.bytes.len();
            let charge = window.charge(chunk.bytes.capacity());
            self.behind.insert(chunk.place, (chunk, charge));
            return false;
        }
        let mut stalled = self.hand_out(chunk, window, framing);
        while self.end.is_none()
            && let Some((chunk, charge)) = self.behind.remove(&self.next)
        {
            self.behind_bytes -= chunk.bytes.len();
            drop(charge);
            stalled = self.hand_out(chunk, window, framing);
        }
        if let Some(end) = &self.end {
            if end.is_ok() {
                window.push(framing.tail(self.any_rows).to_vec());
            }
            // After a failure nobody gets to see the rest.
            self.behind.clear();
        }
        stalled
    }

    /// Hands out the next chunk, and says whether it is empty.
    fn hand_out(&mut self, mut chunk: Chunk, window: &mut Window, framing: &Framing) -> bool {
        if chunk.rows > 0 && !self.any_rows {
            self.any_rows = true;
            // A later chunk was encoded before anybody knew that it has the first rows.
            if chunk.place != Place::FIRST {
                framing.make_first(&mut chunk.bytes);
            }
        }
        let is_empty = chunk.bytes.is_empty();
        window.push(chunk.bytes);
        match chunk.end {
            None => self.next = self.next.next(),
            Some(Ok(())) => {
                self.next = self.next.next_part();
                if self.next.part == self.parts {
                    self.end = Some(Ok(()));
                }
            }
            Some(Err(failure)) => self.end = Some(Err(failure)),
        }
        is_empty
    }

    /// Ends it here.
    pub(super) fn close(&mut self) {
        self.end = Some(Ok(()));
        self.behind.clear();
    }
}
