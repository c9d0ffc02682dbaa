//! Reads the records that the conditions keep out of a source.

use iterfs_mapping::Result;
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::query::Filter;
use iterfs_mapping::row::{Record, Records, Schema};
use std::sync::Arc;

/// The most bytes of one step: the size of the iterator's own buffer (kernel/bpf/bpf_iter.c).
const MOST: usize = 32 * 1024;

/// The fewest bytes of one step. Walks over cgroups need room for a whole row.
const LEAST: usize = 16 * 1024;

/// A source that is read record by record.
pub(super) struct Walk {
    source: Box<dyn Source>,
    schema: Arc<Schema>,
    filter: Arc<Filter>,
    /// Empty before the first step, so that a pass that nobody reads takes no memory.
    memory: Vec<u8>,
    /// The number of bytes at the front of the memory that begin a record.
    torn: usize,
}

impl Walk {
    pub(super) fn new(source: Box<dyn Source>, schema: Arc<Schema>, filter: Arc<Filter>) -> Walk {
        Walk {
            source,
            schema,
            filter,
            memory: Vec::new(),
            torn: 0,
        }
    }

    /// Makes one step, and passes on each record that the conditions keep until `take` returns
    /// false. The step looks for no more than about `rows` rows.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn step(
        &mut self,
        rows: u64,
        mut take: impl FnMut(Record<'_>) -> bool,
    ) -> Result<Progress> {
        let size = self.schema.fixed_size;
        let enough = usize::try_from(rows).unwrap_or(MOST).saturating_mul(size);
        // A source that has a long row whole yields it in one step.
        let room = self.torn + enough.clamp(LEAST, MOST).max(size);
        if self.memory.len() < room {
            self.memory.resize(room, 0);
        }
        let progress = self.source.read(&mut self.memory[self.torn..room])?;
        let Progress::Bytes(bytes) = progress else {
            return Ok(progress);
        };
        let filled = self.torn + bytes;
        let mut records = Records::new(&self.schema, &self.memory[..filled]);
        while let Some(record) = records.next()
            && (!self.filter.keeps(record) || take(record))
        {}
        self.torn = records.rest().len();
        self.memory.copy_within(filled - self.torn..filled, 0);
        Ok(progress)
    }

    /// Takes out the beginning of a record whose end has not arrived.
    pub(super) fn take_torn(&mut self) -> Vec<u8> {
        let torn = self.torn().to_vec();
        self.torn = 0;
        torn
    }

    /// The beginning of a record whose end has not arrived.
    pub(super) fn torn(&self) -> &[u8] {
        &self.memory[..self.torn]
    }
}
