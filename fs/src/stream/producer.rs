//! Takes records from a pass and formats them into chunks.

use crate::counts::Counts;
use crate::error::{Failure, Result};
use crate::format::Formatter;
use iterfs_bpf::record::Records;
use iterfs_bpf::{Progress, Schema, Source};
use iterfs_mapping::Format;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A chunk is handed over once it has this many bytes: what cat asks for at once.
const CHUNK: usize = 128 * 1024;

/// The iterator's own buffer (kernel/bpf/bpf_iter.c): more does not come at once.
const KERNEL_BUFFER: usize = 32 * 1024;

thread_local! {
    /// Where a thread has the kernel put records; a pass pauses only between two.
    static RECORDS: RefCell<Vec<u8>> = RefCell::new(vec![0; KERNEL_BUFFER]);
}

/// The making of a pass, or of parts of it, into bytes.
pub(super) struct Producer {
    source: Box<dyn Source>,
    content: Content,
    counts: Arc<Counts>,
    format: Format,
    /// What comes before the first row is still to be made.
    is_first: bool,
}

/// What comes out of a pass.
enum Content {
    /// Records, which are formatted.
    Records {
        schema: Arc<Schema>,
        formatter: Formatter,
        /// The beginning of a record of which the rest has not come.
        torn: Vec<u8>,
    },
    /// Text that the program printed, which passes through.
    Text,
}

/// What one step made.
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
    /// Whether its first row begins with what separates it from one before.
    pub(super) separated: bool,
}

/// How far the producer came.
pub(super) enum Step {
    /// There may be more.
    More,
    /// The part is over.
    End(Result<()>),
}

impl Producer {
    /// The producer of a pass's first part.
    pub(super) fn new(
        schema: Option<Arc<Schema>>,
        source: Box<dyn Source>,
        format: Format,
        counts: Arc<Counts>,
    ) -> Producer {
        let content = match schema {
            Some(schema) => Content::Records {
                formatter: Formatter::new(format, &schema),
                schema,
                torn: Vec::new(),
            },
            None => Content::Text,
        };
        Producer {
            source,
            content,
            counts,
            format,
            is_first: true,
        }
    }

    /// A producer of a later part of the same pass.
    pub(super) fn beside(&self, source: Box<dyn Source>) -> Producer {
        let schema = match &self.content {
            Content::Records { schema, .. } => Some(Arc::clone(schema)),
            Content::Text => None,
        };
        let counts = Arc::clone(&self.counts);
        let mut producer = Producer::new(schema, source, self.format, counts);
        producer.is_first = false;
        producer.follow_rows();
        producer
    }

    /// Takes up a later part; gives back the one before.
    pub(super) fn go_on_with(&mut self, source: Box<dyn Source>) -> Box<dyn Source> {
        self.follow_rows();
        std::mem::replace(&mut self.source, source)
    }

    /// Has nothing more to do; gives back the part.
    pub(super) fn give_up(self) -> Box<dyn Source> {
        self.source
    }

    fn follow_rows(&mut self) {
        if let Content::Records { formatter, .. } = &mut self.content {
            formatter.follow_rows();
        }
    }

    /// Makes a chunk in the memory of another, which may stay empty where many
    /// objects give no row. Should a row ever make us panic, that is the end.
    pub(super) fn step(&mut self, chunk: Vec<u8>) -> (Made, Step) {
        let separated = !self.is_first && self.format == Format::Json;
        let mut made = Made {
            bytes: chunk,
            rows: 0,
            separated,
        };
        let step = catch_unwind(AssertUnwindSafe(|| self.fill(&mut made)))
            .unwrap_or(Step::End(Err(Failure::Broken)));
        self.counts.made(made.rows, made.bytes.len() as u64);
        if let Step::End(Err(failure)) = &step {
            self.counts.failed(failure);
        }
        (made, step)
    }

    fn fill(&mut self, made: &mut Made) -> Step {
        if std::mem::take(&mut self.is_first)
            && let Content::Records { formatter, .. } = &mut self.content
        {
            formatter.begin(&mut made.bytes);
        }
        while made.bytes.len() < CHUNK {
            match self.read(&mut made.bytes, &mut made.rows) {
                Ok(Progress::Bytes(_)) => {}
                Ok(Progress::Nothing) => return Step::More,
                Ok(Progress::End) => return Step::End(self.end()),
                Err(failure) => return Step::End(Err(failure)),
            }
        }
        Step::More
    }

    fn end(&self) -> Result<()> {
        match &self.content {
            Content::Records { torn, .. } if !torn.is_empty() => Err(Failure::Torn),
            _ => Ok(()),
        }
    }

    /// What comes after the last row of all parts.
    pub(super) fn finish(&mut self, any_rows: bool, bytes: &mut Vec<u8>) {
        if let Content::Records { formatter, .. } = &mut self.content {
            formatter.finish(any_rows, bytes);
        }
    }

    /// Takes the pass one step on.
    fn read(&mut self, chunk: &mut Vec<u8>, rows: &mut u64) -> Result<Progress> {
        let Producer {
            source, content, ..
        } = self;
        RECORDS.with_borrow_mut(|buffer| match content {
            Content::Records {
                schema,
                formatter,
                torn,
            } => {
                let before = torn.len();
                // A long row comes at once, where its source has it whole.
                let room = before + KERNEL_BUFFER.max(schema.fixed_size);
                if buffer.len() < room {
                    buffer.resize(room, 0);
                }
                buffer[..before].copy_from_slice(torn);
                let progress = source.read(&mut buffer[before..])?;
                if let Progress::Bytes(bytes) = progress {
                    let mut records = Records::new(schema, &buffer[..before + bytes]);
                    for record in &mut records {
                        formatter.row(schema, record, chunk);
                        *rows += 1;
                    }
                    torn.clear();
                    torn.extend_from_slice(records.rest());
                }
                if room > 2 * KERNEL_BUFFER {
                    // The thread outlives this pass.
                    buffer.truncate(KERNEL_BUFFER);
                    buffer.shrink_to_fit();
                }
                Ok(progress)
            }
            Content::Text => {
                let progress = source.read(&mut buffer[..KERNEL_BUFFER])?;
                if let Progress::Bytes(bytes) = progress {
                    let text = &buffer[..bytes];
                    *rows += text.iter().filter(|byte| **byte == b'\n').count() as u64;
                    chunk.extend_from_slice(text);
                }
                Ok(progress)
            }
        })
    }
}
