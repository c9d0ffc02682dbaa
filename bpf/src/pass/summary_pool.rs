//! The pool of a summary's programs, each with its own map.
//!
//! The counts of a pass are in its program's map, so no two passes may share a program. A pass
//! borrows an idle program, or loads another, and returns it after the walk.

use crate::load::loader::SharedMaps;
use crate::pass::group_map::Groups;
use crate::program::Program;
use iterfs_mapping::Subject;
use iterfs_mapping::contract::Loaded;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use parking_lot::Mutex;
use std::ops::Deref;
use std::sync::Arc;

/// The most idle programs that are kept.
const IDLE: usize = 4;
/// The factor by which a map that was too small grows.
const GROWTH: u32 = 8;
/// The most groups that a summary can count.
const MOST: u32 = 8 * 1024 * 1024;

/// A program, and the map in which it counts.
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
    maps: SharedMaps,
    schema: Arc<Schema>,
    /// The number of groups for which a map has room, at first and at most.
    room: u32,
    most: u32,
    /// The programs that no pass uses; their maps are empty and of the first size. The lock is
    /// held only to add or remove one.
    idle: Mutex<Vec<Arc<Counter>>>,
}

/// A program borrowed by one pass; dropping this returns it.
pub(crate) struct Borrowed {
    counter: Arc<Counter>,
    counters: Arc<SummaryPool>,
}

impl SummaryPool {
    /// A pool for an object, with one program loaded. Maps have room for `room` groups, or for
    /// as many as the object declares.
    pub(crate) fn of(
        object: &'static str,
        elf: &'static [u8],
        room: Option<u32>,
        maps: SharedMaps,
    ) -> Result<SummaryPool> {
        let (program, groups) = Program::load_counting(object, elf, room, &maps)?;
        let schema = program.schema().map(Arc::clone);
        tracing::info!(object, "loaded");
        Ok(SummaryPool {
            object,
            elf,
            maps,
            schema: schema.ok_or_else(|| Error::BadObject {
                object: object.into(),
                what: "no struct is marked as the row".into(),
            })?,
            room: groups.room(),
            most: MOST,
            idle: Mutex::new(vec![Arc::new(Counter { program, groups })]),
        })
    }

    /// The kernel's facts about one of the programs, if one is idle.
    pub(crate) fn describe(&self, table: Subject) -> Option<Loaded> {
        let idle = self.idle.lock().last().cloned()?;
        idle.program.describe(table, None).ok()
    }

    /// The shape of their rows.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The number of groups for which a pass first has room.
    pub(crate) fn room(&self) -> u32 {
        self.room
    }

    /// The number of groups to try after `room` was too small.
    pub(crate) fn more_than(&self, room: u32) -> Result<u32> {
        let more = room.saturating_mul(GROWTH).min(self.most);
        if more <= room {
            return Err(Error::TooManyGroups(room));
        }
        Ok(more)
    }

    /// Borrows a program with room for this many groups.
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
            Program::load_counting(self.object, self.elf, Some(room), &self.maps)?;
        Ok(Counter { program, groups })
    }

    /// Keeps a program for another pass, unless it is too large or enough are idle.
    fn give_back(&self, counter: &Arc<Counter>) {
        // A larger map is rarely needed, so its memory is not kept.
        if counter.groups.room() != self.room || self.idle.lock().len() >= IDLE {
            return;
        }
        if let Err(error) = counter.groups.clear() {
            tracing::warn!(
                object = self.object,
                "cannot clear the counted groups: {error}"
            );
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
