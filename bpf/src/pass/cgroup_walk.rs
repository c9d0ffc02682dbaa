//! A pass over cgroups, made of as many walks as it needs.
//!
//! The kernel cannot continue a walk over cgroups whose buffer, of 32 KiB, is full (EOPNOTSUPP,
//! kernel/bpf/cgroup_iter.c). Each step is therefore a separate walk from the start, in which
//! `programs/cgroups.bpf.c` shows the cgroups that follow those of the previous step, as many
//! as fit.

use crate::host::inventory::{column_of, lacks};
use crate::load::question::Encoded;
use crate::pass::briefing::Briefing;
use crate::pass::cgroup_position::Position;
use crate::pass::iterator::Iterator;
use crate::pass::readers::{CgroupRange, Settings};
use crate::program::Program;
use crate::program::attachment::Attachment;
use crate::sys;
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Records;
use iterfs_mapping::row::{Column, Record, Schema, Value};
use iterfs_mapping::{Narrowing, Order};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The most bytes that a walk can return (kernel/bpf/bpf_iter.c; a seq_file's buffer is never
/// filled to the last byte).
const CAPACITY: usize = 32 * 1024 - 1;

/// The most bytes of markers before and after the rows.
const MARKS: usize = 2 * END.len();

/// Follows the rows of a walk that had room for all.
const END: [u8; 8] = 0u64.to_ne_bytes();

/// A pass that starts at one cgroup.
pub(crate) struct CgroupWalk {
    link: OwnedFd,
    /// With settings that each walk replaces.
    briefing: Briefing,
    schema: Arc<Schema>,
    columns: Columns,
    order: Order,
    /// For a walk down, or of a single cgroup.
    position: Position,
    /// For a walk up: the level of the last cgroup shown, 0 before the first.
    above: u32,
    over: bool,
}

/// The columns that locate a cgroup.
struct Columns {
    id: Column,
    parent: Column,
    depth: Column,
}

impl CgroupWalk {
    /// A pass in this order from the cgroup with this id (0 is the root).
    /// `question` is for a program that answers questions.
    pub(crate) fn new(
        program: &Program,
        id: u64,
        order: Order,
        question: Option<&Arc<Encoded>>,
    ) -> Result<CgroupWalk> {
        let schema = program.schema().ok_or_else(|| lacks("cgroups", "no row"))?;
        let column = |name| column_of(schema, "cgroups", name).cloned();
        Ok(CgroupWalk {
            link: program.link(&Attachment::to(Narrowing::Cgroup(id, order))?)?,
            briefing: program.briefing(Settings::default(), question),
            columns: Columns {
                id: column("id")?,
                parent: column("parent")?,
                depth: column("depth")?,
            },
            schema: Arc::clone(schema),
            order,
            position: Position::default(),
            above: 0,
            over: false,
        })
    }

    /// Makes one walk from the start, and fills the buffer from it.
    fn walk(&self, buffer: &mut [u8], settings: Settings) -> Result<usize> {
        let iterator = sys::iterator_create(self.link.as_fd()).map_err(Error::Pass)?;
        let mut briefing = self.briefing.clone();
        let reader = briefing.reader.as_mut();
        reader
            .ok_or_else(|| lacks("cgroups", "no map of readers"))?
            .1 = settings;
        let mut iterator = Iterator::new(iterator, briefing);
        loop {
            match iterator.read(buffer)? {
                Progress::Bytes(bytes) => return Ok(bytes),
                Progress::Nothing => {}
                Progress::End => return Ok(0),
            }
        }
    }

    fn note(&mut self, record: Record<'_>) {
        let number = |column: &Column| match column.value(record) {
            Value::Unsigned(number) => number,
            _ => 0,
        };
        let (id, parent) = (number(&self.columns.id), number(&self.columns.parent));
        match self.order {
            Order::Itself => self.over = true,
            Order::Descendants => self.position.shown(id, parent),
            Order::Ancestors => {
                self.above = number(&self.columns.depth) as u32;
                self.over = self.above == 0;
            }
        }
    }
}

impl Source for CgroupWalk {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        if self.over {
            return Ok(Progress::End);
        }
        let room = buffer.len().min(CAPACITY).saturating_sub(MARKS);
        let range = CgroupRange {
            at: self.position.at(),
            after: self.position.after(),
            above: self.above,
            budget: room as u32,
        };
        let settings = Settings {
            range,
            ..Settings::default()
        };
        let length = self.walk(buffer, settings)?;

        let mut start = 0;
        if range.at != 0 {
            start = size_of_val(&range.at);
            if !buffer[..length].starts_with(&range.at.to_ne_bytes()) {
                self.over = !self.position.gone();
                return Ok(Progress::Nothing);
            }
        }
        let schema = Arc::clone(&self.schema);
        let mut records = Records::new(&schema, &buffer[start..length]);
        for record in &mut records {
            self.note(record);
        }
        self.over |= records.rest() == END;
        let end = length - records.rest().len();
        if end > start {
            buffer.copy_within(start..end, 0);
            return Ok(Progress::Bytes(end - start));
        }
        if self.over {
            return Ok(Progress::End);
        }
        Err(Error::Pass(Errno::TOOBIG.into()))
    }
}
