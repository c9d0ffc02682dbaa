//! A pass of a user's program over cgroups, with a walk for each of them.
//!
//! The kernel ends a walk over cgroups whose buffer, of 32 KiB, is full, and does not go
//! on with it. Our own program can be told where to go on (`cgroup_walk.rs`), a user's
//! cannot. So our own table of cgroups says which there are, and the user's program walks
//! each of them alone: to the program, every one is the first of its walk, and the end of
//! the walk follows it.

use crate::host::inventory::{column_of, number};
use crate::pass::iterator::Iterator;
use crate::pass::iterators::Iterators;
use iterfs_mapping::contract::{Pass, Progress, Source};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::{Column, Records};
use iterfs_mapping::{Narrowing, Order};
use std::collections::VecDeque;
use std::io::ErrorKind;

/// Bytes of rows of our own table that are taken at once.
const BUFFER: usize = 16 * 1024;

/// Walks in one step; each takes some microseconds.
const WALKS: usize = 64;

/// With less room than this left in a step, the next walk waits for the next step.
const ROOM: usize = 4 * 1024;

/// The pass.
pub(crate) struct EachCgroup {
    iterators: Box<dyn Iterators>,
    /// The built-in table, from which the ids come, and its column of them.
    table: Pass,
    id: Column,
    buffer: Vec<u8>,
    ids: VecDeque<u64>,
    /// The walk that is not over yet.
    walk: Option<Iterator>,
}

impl EachCgroup {
    /// A pass over the cgroups that `table`, a pass of our own program, shows.
    pub(crate) fn new(iterators: Box<dyn Iterators>, table: Pass) -> Result<EachCgroup> {
        let schema = table.schema.as_ref();
        let id = schema.and_then(|schema| column_of(schema, "id")).cloned();
        Ok(EachCgroup {
            id: id.ok_or_else(|| Error::BadObject {
                object: "cgroups".into(),
                what: "it has no column id".into(),
            })?,
            iterators,
            table,
            buffer: vec![0; BUFFER],
            ids: VecDeque::new(),
            walk: None,
        })
    }

    /// Begins the next walk; false if there are no more cgroups known yet.
    fn begin(&mut self) -> Result<bool> {
        let Some(id) = self.ids.pop_front() else {
            return Ok(false);
        };
        match self
            .iterators
            .narrowed(Narrowing::Cgroup(id, Order::Itself))
        {
            Ok(walk) => self.walk = Some(walk),
            // Removed since.
            Err(Error::Attach { cause, .. }) if cause.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Learns of more cgroups.
    fn look(&mut self) -> Result<Progress> {
        let progress = self.table.source.read(&mut self.buffer)?;
        if let (Progress::Bytes(bytes), Some(schema)) = (progress, &self.table.schema) {
            // Its rows come whole (`CgroupWalk`).
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
