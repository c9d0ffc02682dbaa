//! Makes batches of records into chunks of a file.

use super::batch::{Batch, Place};
use crate::counts::Counts;
use crate::error::{Failure, Result};
use crate::format::{Formatter, Framing};
use iterfs_bpf::Schema;
use iterfs_bpf::record::Records;
use iterfs_mapping::Format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

/// What a file is made of and how.
pub(super) struct Recipe {
    /// What the records are; none of a program that prints text itself.
    pub(super) schema: Option<Arc<Schema>>,
    pub(super) format: Format,
    pub(super) counts: Arc<Counts>,
}

/// Makes the batches of one pass into bytes; several do so side by side.
pub(super) struct Maker {
    recipe: Arc<Recipe>,
    /// None of text, which passes through.
    formatter: Option<Formatter>,
}

/// What a batch was made into.
pub(super) struct Chunk {
    pub(super) place: Place,
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
    /// How its part ended, if it is the last of it.
    pub(super) end: Option<Result<()>>,
}

impl Maker {
    pub(super) fn new(recipe: Arc<Recipe>) -> Maker {
        let schema = recipe.schema.as_ref();
        let formatter = schema.map(|schema| Formatter::new(recipe.format, schema));
        Maker { recipe, formatter }
    }

    /// What the records are; none of a program that prints text itself.
    pub(super) fn schema(&self) -> Option<&Schema> {
        self.recipe.schema.as_deref()
    }

    /// Makes a chunk of a batch, in the memory of an earlier one. Should a row ever
    /// make us panic, its readers get an error, not silence.
    pub(super) fn make(&mut self, batch: &mut Batch, memory: Vec<u8>) -> Chunk {
        let mut chunk = Chunk {
            place: batch.place,
            bytes: memory,
            rows: 0,
            end: batch.end.take(),
        };
        if catch_unwind(AssertUnwindSafe(|| self.fill(batch, &mut chunk))).is_err() {
            chunk.end = Some(Err(Failure::Broken));
        }
        let counts = &self.recipe.counts;
        counts.made(chunk.rows, chunk.bytes.len() as u64);
        if let Some(Err(failure)) = &chunk.end {
            counts.failed(failure);
        }
        chunk
    }

    fn fill(&mut self, batch: &Batch, chunk: &mut Chunk) {
        let (Some(schema), Some(formatter)) = (&self.recipe.schema, &mut self.formatter) else {
            let text = batch.bytes();
            chunk.rows = text.iter().filter(|byte| **byte == b'\n').count() as u64;
            chunk.bytes.extend_from_slice(text);
            return;
        };
        match chunk.place {
            Place::FIRST => formatter.begin(&mut chunk.bytes),
            _ => formatter.resume(),
        }
        for record in Records::new(schema, batch.bytes()) {
            formatter.row(schema, record, &mut chunk.bytes);
            chunk.rows += 1;
        }
    }

    /// What the format has around and between rows. Text that a program prints has nothing.
    pub(super) fn framing(&self) -> &Framing {
        static NONE: LazyLock<Framing> = LazyLock::new(Framing::default);
        self.formatter.as_ref().map_or(&NONE, Formatter::framing)
    }
}
