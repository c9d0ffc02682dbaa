//! Programs that count, each with a map of its own.
//!
//! What a pass of a summary counts lies in its program's map, so no two passes may
//! share one. A pass borrows a program that is idle, or has another loaded, and
//! returns it when the walk is over.

use crate::load::loader::SharedReaders;
use crate::pass::group_map::Groups;
use crate::program::Program;
use iterfs_mapping::Subject;
use iterfs_mapping::contract::Loaded;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use parking_lot::Mutex;
use std::ops::Deref;
use std::sync::Arc;

/// Programs kept for passes to come.
const IDLE: usize = 4;
/// How much larger the next map is, where one was too small.
const GROWTH: u32 = 8;
/// The most groups that are counted.
const MOST: u32 = 8 * 1024 * 1024;

/// A program, and the map it counts in.
#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) program: Program,
    pub(crate) groups: Groups,
}

/// The programs of one summary.
#[derive(Debug)]
pub(crate) struct SummaryPool {
    object: &'static str,
    elf: &'static [u8],
    readers: SharedReaders,
    schema: Arc<Schema>,
    /// The groups that a map has room for, at first and at most.
    room: u32,
    most: u32,
    /// Those that no pass has, their maps empty and of the first size. Locked to
    /// put one in or take one out, no longer.
    idle: Mutex<Vec<Arc<Counter>>>,
}

/// A counter that one pass has; it goes back when dropped.
pub(crate) struct Borrowed {
    counter: Arc<Counter>,
    counters: Arc<SummaryPool>,
}

impl SummaryPool {
    /// Those of an object, of which one is loaded, with room for so many groups or
    /// for as many as the object says.
    pub(crate) fn of(
        object: &'static str,
        elf: &'static [u8],
        room: Option<u32>,
        readers: SharedReaders,
    ) -> Result<SummaryPool> {
        let (program, groups) = Program::load_counting(object, elf, room, &readers)?;
        let schema = program.schema().map(Arc::clone);
        tracing::info!(object, "loaded");
        Ok(SummaryPool {
            object,
            elf,
            readers,
            schema: schema.ok_or_else(|| Error::BadObject {
                object: object.into(),
                what: "no struct is marked as the row".into(),
            })?,
            room: groups.room(),
            most: MOST,
            idle: Mutex::new(vec![Arc::new(Counter { program, groups })]),
        })
    }

    /// What the kernel tells of one of them, if one is idle.
    pub(crate) fn describe(&self, table: Subject) -> Option<Loaded> {
        let idle = self.idle.lock().last().cloned()?;
        idle.program.describe(table, None).ok()
    }

    /// The shape of their rows.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The room that a pass begins with.
    pub(crate) fn room(&self) -> u32 {
        self.room
    }

    /// The room to try after this much was too little.
    pub(crate) fn more_than(&self, room: u32) -> Result<u32> {
        let more = room.saturating_mul(GROWTH).min(self.most);
        if more <= room {
            return Err(Error::TooManyGroups(room));
        }
        Ok(more)
    }

    /// A counter with room for so many groups.
    pub(crate) fn borrow(self: &Arc<Self>, room: u32) -> Result<Borrowed> {
        let idle = match room == self.room {
            true => self.idle.lock().pop(),
            false => None,
        };
        let counter = match idle {
            Some(counter) => counter,
            None => Arc::new(self.load(room)?),
        };
        Ok(Borrowed {
            counter,
            counters: Arc::clone(self),
        })
    }

    #[cfg(test)]
    pub(crate) fn up_to(self, most: u32) -> SummaryPool {
        SummaryPool { most, ..self }
    }

    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.idle.lock().len()
    }

    fn load(&self, room: u32) -> Result<Counter> {
        let (program, groups) =
            Program::load_counting(self.object, self.elf, Some(room), &self.readers)?;
        Ok(Counter { program, groups })
    }

    /// Keeps a counter for another pass, if it is worth it.
    fn give_back(&self, counter: &Arc<Counter>) {
        // The memory of a larger map is not kept for the rare pass that needs it.
        if counter.groups.room() != self.room || self.idle.lock().len() >= IDLE {
            return;
        }
        if let Err(error) = counter.groups.clear() {
            tracing::warn!(object = self.object, "what was counted stays: {error}");
            return;
        }
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(Arc::clone(counter));
        }
    }
}

impl Deref for Borrowed {
    type Target = Counter;

    fn deref(&self) -> &Counter {
        &self.counter
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.counters.give_back(&self.counter);
    }
}
