//! A pass of a user program over cgroups, with a separate walk for each of them.
//!
//! The kernel ends a walk over cgroups whose buffer, of 32 KiB, is full, and does not continue
//! it. The built-in program can be told where to continue (`cgroup_walk.rs`); a user program
//! cannot. Here the built-in table of cgroups supplies the ids, and the user program walks each
//! cgroup alone: it sees each as the first of its walk, followed by the end of the walk.

use crate::host::inventory::{column_of, lacks, number};
use crate::pass::iterator::Iterator;
use crate::pass::iterators::Iterators;
use iterfs_mapping::contract::{Pass, Progress, Source};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::{Column, Records};
use iterfs_mapping::{Narrowing, Order};
use std::collections::VecDeque;
use std::io::ErrorKind;

/// The most bytes of rows of the built-in table that are read at once.
const BUFFER: usize = 16 * 1024;

/// The most walks in one step; each takes a few microseconds.
const WALKS: usize = 64;

/// If a step has less room left than this, the next walk waits for the next step.
const ROOM: usize = 4 * 1024;

/// The pass.
pub(crate) struct EachCgroup {
    iterators: Box<dyn Iterators>,
    /// The built-in table that supplies the ids, and its column of ids.
    table: Pass,
    id: Column,
    buffer: Vec<u8>,
    ids: VecDeque<u64>,
    /// The walk in progress.
    walk: Option<Iterator>,
}

impl EachCgroup {
    /// A pass over the cgroups that `table`, a pass of the built-in program, shows.
    pub(crate) fn new(iterators: Box<dyn Iterators>, table: Pass) -> Result<EachCgroup> {
        let schema = table.schema.as_ref();
        let schema = schema.ok_or_else(|| lacks("cgroups", "no row"))?;
        Ok(EachCgroup {
            id: column_of(schema, "cgroups", "id")?.clone(),
            iterators,
            table,
            buffer: vec![0; BUFFER],
            ids: VecDeque::new(),
            walk: None,
        })
    }

    /// Begins the next walk; false if no more cgroups are known yet.
    fn begin(&mut self) -> Result<bool> {
        let Some(id) = self.ids.pop_front() else {
            return Ok(false);
        };
        match self
            .iterators
            .narrowed(Narrowing::Cgroup(id, Order::Itself))
        {
            Ok(walk) => self.walk = Some(walk),
            // The cgroup was removed meanwhile.
            Err(Error::Attach { cause, .. }) if cause.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Reads more ids from the built-in table.
    fn look(&mut self) -> Result<Progress> {
        let progress = self.table.source.read(&mut self.buffer)?;
        if let (Progress::Bytes(bytes), Some(schema)) = (progress, &self.table.schema) {
            // Each read returns whole rows (`CgroupWalk`).
            for record in Records::new(schema, &self.buffer[..bytes]) {
                self.ids.extend(number::<u64>(self.id.value(record)));
            }
        }
        Ok(progress)
    }
}

impl Source for EachCgroup {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        let mut filled = 0;
        for _ in 0..WALKS {
            if filled > 0 && buffer.len() - filled < ROOM {
                break;
            }
            if let Some(walk) = &mut self.walk {
                match walk.read(&mut buffer[filled..])? {
                    Progress::Bytes(bytes) => filled += bytes,
                    Progress::Nothing => {}
                    Progress::End => self.walk = None,
                }
            } else if !self.begin()? {
                if filled > 0 {
                    break;
                }
                if self.look()? == Progress::End {
                    return Ok(Progress::End);
                }
            }
        }
        Ok(match filled {
            0 => Progress::Nothing,
            bytes => Progress::Bytes(bytes),
        })
    }
}
