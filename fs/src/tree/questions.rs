//! The names that ask which the kernel holds, by their numbers.
//!
//! A lookup adds a name, and the kernel counts it once for each reply that it gets. When it
//! drops the name ([`idle`]), it takes its lookups back (FORGET), and the name is gone. One
//! lock covers both, so a FORGET that arrives while the same name is looked up again leaves
//! that lookup counted.

mod idle;

use crate::access::quota::{AccountId, NameCharge};
use crate::error::Result;
use crate::whole::Contents;
use idle::{Idle, Next};
use iterfs_mapping::query::Condition;
use iterfs_mapping::{Asking, Base, Directory, Query};
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Instant;

/// The bits of [`Asking::identity`].
const IDENTITY: u64 = (1 << 56) - 1;

/// With room for more names than this, little memory is left to give back when they are gone.
const MANY: usize = 1024;

/// How often a name stays because of a slow lookup in its directory. Then it is dropped all the
/// same: otherwise a user who looks names up slowly and steadily would make all names stay.
const MOST_STAYS: u8 = 10;

/// The bytes that a hash table takes for an entry, besides the entry itself.
const SLOT: usize = 2 * size_of::<u64>();

/// The names that ask.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    /// Held only to look up or change the maps.
    held: Mutex<Held>,
    /// Signalled when a name becomes idle, and at the end.
    wake: Condvar,
    /// No user can choose names that seem to be one file, because the hasher has a random key.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Held {
    names: HashMap<u64, Counted>,
    /// The numbers of those names that further lookups share.
    shared: HashMap<Arc<Name>, u64>,
    last: u64,
    idle: Idle,
    /// Lookups in each directory that take a while.
    slow: HashMap<Directory, u32>,
    ended: bool,
}

/// A name with the lookups that the kernel has not taken back.
#[derive(Debug)]
struct Counted {
    name: Arc<Name>,
    identity: u64,
    question: Arc<Asked>,
    lookups: u64,
    /// Handles opened by this name.
    open: u32,
    /// Whether it waits among the names that were looked up.
    is_waiting: bool,
    /// How often it had to stay because of a slow lookup.
    stayed: u8,
}

/// A name that asks, as one user looked it up. Users share no names, so that nobody keeps
/// names on the account of another.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Name {
    /// The account of the user.
    pub(crate) account: AccountId,
    /// The file that shows the whole table.
    pub(crate) base: Base,
    /// The name in its directory.
    pub(crate) name: OsString,
}

/// The question of a name.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The query that the name writes.
    pub(crate) query: Query,
    /// The contents of the file, if it was made whole.
    pub(crate) contents: Option<Arc<Contents>>,
    _charge: NameCharge,
}

impl Questions {
    /// Counts a lookup of a name. `charge` charges its account for this many bytes if the
    /// name is not held yet, or is a file of its own for each lookup, with these contents.
    ///
    /// # Errors
    /// Those of `charge`.
    pub(crate) fn look_up(
        &self,
        name: Name,
        query: Query,
        contents: Option<Arc<Contents>>,
        charge: impl FnOnce(usize) -> Result<NameCharge>,
    ) -> Result<Asking> {
        // The same for all users, as the inode number of a table is.
        let identity = self.hasher.hash_one((name.base, &name.name)) & IDENTITY;
        let base = name.base;
        let asking = |number| Asking {
            base,
            number,
            identity,
        };
        let mut held = self.held.lock();
        let Held {
            names,
            shared,
            last,
            idle,
            ..
        } = &mut *held;
        // A file that is made whole at its lookup belongs to that lookup alone.
        let is_shared = !query.whole;
        if is_shared
            && let Some(number) = shared.get(&name)
            && let Some(counted) = names.get_mut(number)
        {
            counted.lookups += 1;
            if !counted.is_waiting {
                counted.is_waiting = true;
                idle.add(*number, Instant::now());
                self.wake.notify_one();
            }
            return Ok(asking(*number));
        }
        let question = Asked {
            _charge: charge(bytes(&name, &query))?,
            query,
            contents,
        };
        *last += 1;
        let name = Arc::new(name);
        if is_shared {
            shared.insert(Arc::clone(&name), *last);
        }
        let counted = Counted {
            name,
            identity,
            question: Arc::new(question),
            lookups: 1,
            open: 0,
            is_waiting: true,
            stayed: 0,
        };
        names.insert(*last, counted);
        idle.add(*last, Instant::now());
        self.wake.notify_one();
        Ok(asking(*last))
    }

    /// Takes lookups of a name back. Returns whether most of many names are gone now, so that
    /// the memory that they used can be given back.
    pub(crate) fn forget(&self, number: u64, lookups: u64) -> bool {
        let mut held = self.held.lock();
        let Some(counted) = held.names.get_mut(&number) else {
            return false;
        };
        counted.lookups = counted.lookups.saturating_sub(lookups);
        if counted.lookups > 0 {
            return false;
        }
        let gone = held.names.remove(&number);
        let name = gone.as_ref().map(|gone| &gone.name);
        if let Some(name) = name.filter(|name| held.shared.get(*name) == Some(&number)) {
            held.shared.remove(name);
        }
        let room = held.names.capacity();
        let were_many = room >= MANY && held.names.len() <= room / 8;
        if were_many {
            held.names.shrink_to_fit();
            held.shared.shrink_to_fit();
            held.idle.shrink();
        }
        drop(held);
        // A question may hold much memory, so free it without the lock.
        drop(gone);
        were_many
    }

    /// Notes that a handle was opened by a name.
    pub(crate) fn opened(&self, number: u64) {
        if let Some(counted) = self.held.lock().names.get_mut(&number) {
            counted.open += 1;
        }
    }

    /// Notes that a handle which was opened by a name is closed.
    pub(crate) fn closed(&self, number: u64) {
        let mut held = self.held.lock();
        let Some(counted) = held.names.get_mut(&number) else {
            return;
        };
        counted.open = counted.open.saturating_sub(1);
        if counted.open == 0 {
            held.idle.add_closed(number);
            self.wake.notify_one();
        }
    }

    /// Notes that a lookup in a directory takes a while, until dropped. To drop a name, the
    /// kernel waits until nobody looks for another one in its directory, and lets nobody begin
    /// meanwhile (fs/fuse/dir.c, fuse_reverse_inval_entry()): so no name of the directory is
    /// dropped now.
    pub(crate) fn slow_lookup(self: &Arc<Self>, directory: Directory) -> SlowLookup {
        *self.held.lock().slow.entry(directory).or_default() += 1;
        SlowLookup {
            questions: Arc::clone(self),
            directory,
        }
    }

    /// Waits for a name that the kernel should drop. Returns `None` at the end.
    pub(crate) fn next_idle(&self) -> Option<(Directory, OsString)> {
        let mut held = self.held.lock();
        while !held.ended {
            let now = Instant::now();
            match held.idle.next(now) {
                Next::Now(number) => {
                    if let Some(name) = held.leave(number, now) {
                        return Some((name.base.directory(), name.name.clone()));
                    }
                }
                Next::At(due) => drop(self.wake.wait_until(&mut held, due)),
                Next::Never => self.wake.wait(&mut held),
            }
        }
        None
    }

    /// Ends [`Questions::next_idle`].
    pub(crate) fn end(&self) {
        self.held.lock().ended = true;
        self.wake.notify_all();
    }

    /// The node with this number, while the kernel holds it.
    pub(crate) fn node(&self, number: u64) -> Option<Asking> {
        let held = self.held.lock();
        let counted = held.names.get(&number)?;
        Some(Asking {
            base: counted.name.base,
            number,
            identity: counted.identity,
        })
    }

    /// A name and its question, while the kernel holds the name.
    pub(crate) fn question(&self, number: u64) -> Option<(Arc<Name>, Arc<Asked>)> {
        let held = self.held.lock();
        let counted = held.names.get(&number)?;
        Some((Arc::clone(&counted.name), Arc::clone(&counted.question)))
    }

    /// The number of names that the kernel holds.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        let held = self.held.lock();
        assert!(held.shared.len() <= held.names.len());
        held.names.len()
    }
}

/// A slow lookup in a directory, which ends when dropped.
#[derive(Debug)]
pub(crate) struct SlowLookup {
    questions: Arc<Questions>,
    directory: Directory,
}

impl Drop for SlowLookup {
    fn drop(&mut self) {
        let mut held = self.questions.held.lock();
        if let Some(lookups) = held.slow.get_mut(&self.directory) {
            *lookups -= 1;
            if *lookups == 0 {
                held.slow.remove(&self.directory);
            }
        }
    }
}

impl Held {
    /// The name with this number, if nothing keeps it from being dropped now.
    fn leave(&mut self, number: u64, now: Instant) -> Option<Arc<Name>> {
        let counted = self.names.get_mut(&number)?;
        let is_slow = self.slow.contains_key(&counted.name.base.directory());
        counted.is_waiting = is_slow && counted.stayed < MOST_STAYS;
        if counted.is_waiting {
            counted.stayed += 1;
            self.idle.add(number, now);
            return None;
        }
        (counted.open == 0).then(|| Arc::clone(&counted.name))
    }
}

/// The bytes that a name and its question take.
fn bytes(name: &Name, query: &Query) -> usize {
    let columns = query.columns.only.len() + query.columns.also.len();
    let query = columns * size_of::<Box<str>>() + query.conditions.len() * size_of::<Condition>();
    let maps = 2 * SLOT + size_of::<Counted>() + size_of::<Arc<Name>>();
    // The text of the terms is kept twice: in the name, and taken apart.
    maps + size_of::<Name>() + size_of::<Asked>() + query + 2 * name.name.len()
}

#[cfg(test)]
mod tests;
