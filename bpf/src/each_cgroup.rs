//! A pass of a user's program over cgroups, with a walk for each of them.
//!
//! The kernel ends a walk over cgroups whose buffer, of 32 KiB, is full, and does not go
//! on with it. Our own program can be told where to go on (`cgroup_walk.rs`), a user's
//! cannot. So our own table of cgroups says which there are, and the user's program walks
//! each of them alone: to the program, every one is the first of its walk, and the end of
//! the walk follows it.

use crate::error::{Error, Result};
use crate::program::Program;
use crate::reader::{Readers, Settings};
use crate::record::Records;
use crate::rows;
use crate::source::Iterator;
use crate::sys::{self, LinkTo};
use crate::tables::{Pass, Progress, Source};
use iterfs_mapping::Order;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Bytes of rows of our own table that are taken at once.
const BUFFER: usize = 16 * 1024;

/// Walks in one step; each takes some microseconds.
const WALKS: usize = 64;

/// With less room than this left in a step, the next walk waits for the next step.
const ROOM: usize = 4 * 1024;

/// The pass.
pub(crate) struct EachCgroup {
    program: Arc<Program>,
    settings: Option<(Arc<Readers>, Settings)>,
    /// Our own table, from which the ids come.
    table: Pass,
    buffer: Vec<u8>,
    ids: VecDeque<u64>,
    /// The walk that is not over yet.
    walk: Option<Iterator>,
}

impl EachCgroup {
    /// A pass over the cgroups that `table`, a pass of our own program, shows.
    pub(crate) fn new(
        program: &Arc<Program>,
        settings: Option<(Arc<Readers>, Settings)>,
        table: Pass,
    ) -> EachCgroup {
        EachCgroup {
            program: Arc::clone(program),
            settings,
            table,
            buffer: vec![0; BUFFER],
            ids: VecDeque::new(),
            walk: None,
        }
    }

    /// Begins the next walk; false if there are no more cgroups known yet.
    fn begin(&mut self) -> Result<bool> {
        let Some(id) = self.ids.pop_front() else {
            return Ok(false);
        };
        let link = match self.program.link(LinkTo::Cgroup(id, Order::Itself)) {
            // Removed since.
            Err(Error::Attach { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(true);
            }
            link => link?,
        };
        // The iterator holds the link.
        let fd = sys::iterator_create(link.as_fd()).map_err(Error::Pass)?;
        self.walk = Some(Iterator::new(fd, self.settings.clone()));
        Ok(true)
    }

    /// Learns of more cgroups.
    fn look(&mut self) -> Result<Progress> {
        let progress = self.table.source.read(&mut self.buffer)?;
        if let (Progress::Bytes(bytes), Some(schema)) = (progress, &self.table.schema) {
            // Its rows come whole (`CgroupWalk`).
            for record in Records::new(schema, &self.buffer[..bytes]) {
                self.ids.extend(rows::number(schema, "id", record));
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
