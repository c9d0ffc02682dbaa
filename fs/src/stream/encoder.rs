//! Encodes batches of records as chunks of a file.

use super::batch::Batch;
use super::sequencer::SequenceNumber;
use crate::counts::Counts;
use crate::error::{Failure, Result};
use crate::format::{Formatter, Framing};
use iterfs_mapping::Format;
use iterfs_mapping::query::Filter;
use iterfs_mapping::row::{Records, Schema};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

/// How the records of a pass are encoded, and who counts them.
pub(super) struct Encoding {
    /// The layout of the records, or `None` if a program prints text itself.
    pub(super) schema: Option<Arc<Schema>>,
    /// The conditions on records that the program did not evaluate.
    pub(super) filter: Filter,
    pub(super) format: Format,
    pub(super) counts: Arc<Counts>,
}

/// Encodes batches of one pass. Several encoders work side by side.
pub(super) struct Encoder {
    encoding: Arc<Encoding>,
    /// `None` if a program prints text itself, which passes through.
    formatter: Option<Formatter>,
}

/// The bytes of a batch, encoded.
pub(super) struct Chunk {
    pub(super) number: SequenceNumber,
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
    /// How its partition ended, if this is the last chunk of it.
    pub(super) end: Option<Result<()>>,
}

impl Encoder {
    pub(super) fn new(encoding: Arc<Encoding>) -> Encoder {
        let schema = encoding.schema.as_ref();
        let formatter = schema.map(|schema| Formatter::new(encoding.format, schema));
        Encoder {
            encoding,
            formatter,
        }
    }

    /// The layout of the records, or `None` if a program prints text itself.
    pub(super) fn schema(&self) -> Option<&Schema> {
        self.encoding.schema.as_deref()
    }

    /// The bytes of the format around and between rows: nothing if a program prints text itself.
    pub(super) fn framing(&self) -> &Framing {
        static NONE: LazyLock<Framing> = LazyLock::new(Framing::default);
        self.formatter.as_ref().map_or(&NONE, Formatter::framing)
    }

    /// Encodes a batch, in the memory of an earlier chunk. If a row ever makes us panic, the
    /// chunk ends with an error, so that its readers notice.
    pub(super) fn encode(&mut self, batch: &mut Batch, memory: Vec<u8>) -> Chunk {
        let mut chunk = Chunk {
            number: batch.number,
            bytes: memory,
            rows: 0,
            end: batch.end.take(),
        };
        if catch_unwind(AssertUnwindSafe(|| self.fill(batch, &mut chunk))).is_err() {
            chunk.end = Some(Err(Failure::Broken));
        }
        let counts = &self.encoding.counts;
        counts.made(chunk.rows, chunk.bytes.len() as u64);
        if let Some(Err(failure)) = &chunk.end {
            counts.failed(failure);
        }
        chunk
    }

    fn fill(&mut self, batch: &Batch, chunk: &mut Chunk) {
        let (Some(schema), Some(formatter)) = (&self.encoding.schema, &mut self.formatter) else {
            let text = batch.bytes();
            chunk.rows = text.iter().filter(|byte| **byte == b'\n').count() as u64;
            chunk.bytes.extend_from_slice(text);
            return;
        };
        match chunk.number.is_first() {
            true => formatter.begin(&mut chunk.bytes),
            false => formatter.resume(),
        }
        let mut encode = |record| {
            formatter.row(schema, record, &mut chunk.bytes);
            chunk.rows += 1;
        };
        let records = Records::new(schema, batch.bytes());
        let filter = &self.encoding.filter;
        match filter.is_empty() {
            true => records.for_each(encode),
            false => records
                .filter(|record| filter.keeps(*record))
                .for_each(&mut encode),
        }
    }
}
