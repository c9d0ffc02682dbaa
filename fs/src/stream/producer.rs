//! Takes records from a pass and formats them into chunks.

use crate::counts::Counts;
use crate::error::{Failure, Result};
use crate::format::Formatter;
use iterfs_bpf::record::Records;
use iterfs_bpf::{Pass, Progress, Schema, Source};
use iterfs_mapping::Format;
use std::cell::RefCell;
use std::sync::Arc;

/// A chunk is handed over once it has this many bytes: what cat asks for at once.
const CHUNK: usize = 128 * 1024;

/// The iterator's own buffer (kernel/bpf/bpf_iter.c): more does not come at once.
const KERNEL_BUFFER: usize = 32 * 1024;

thread_local! {
    /// Where a thread has the kernel put records; a pass pauses only between two.
    static RECORDS: RefCell<Vec<u8>> = RefCell::new(vec![0; KERNEL_BUFFER]);
}

/// The making of one pass into one file.
pub(super) struct Producer {
    source: Box<dyn Source>,
    content: Content,
    counts: Arc<Counts>,
    begun: bool,
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

/// How far the producer came.
pub(super) enum Step {
    /// There may be more.
    More,
    /// The pass is over.
    End(Result<()>),
}

impl Producer {
    pub(super) fn new(pass: Pass, format: Format, counts: Arc<Counts>) -> Producer {
        let content = match pass.schema {
            Some(schema) => Content::Records {
                formatter: Formatter::new(format, &schema),
                schema,
                torn: Vec::new(),
            },
            None => Content::Text,
        };
        Producer {
            source: pass.source,
            content,
            counts,
            begun: false,
        }
    }

    /// Fills a chunk, which may stay empty where many objects give no row.
    pub(super) fn fill(&mut self, chunk: &mut Vec<u8>) -> Step {
        let mut rows = 0;
        let step = self.fill_counting(chunk, &mut rows);
        self.counts.made(rows, chunk.len() as u64);
        if let Step::End(Err(failure)) = &step {
            self.counts.failed(failure);
        }
        step
    }

    fn fill_counting(&mut self, chunk: &mut Vec<u8>, rows: &mut u64) -> Step {
        if !self.begun {
            self.begun = true;
            if let Content::Records { formatter, .. } = &mut self.content {
                formatter.begin(chunk);
            }
        }
        while chunk.len() < CHUNK {
            match self.read(chunk, rows) {
                Ok(Progress::Bytes(_)) => {}
                Ok(Progress::Nothing) => return Step::More,
                Ok(Progress::End) => return Step::End(self.finish(chunk)),
                Err(failure) => return Step::End(Err(failure)),
            }
        }
        Step::More
    }

    fn finish(&mut self, chunk: &mut Vec<u8>) -> Result<()> {
        match &mut self.content {
            Content::Records { torn, .. } if !torn.is_empty() => Err(Failure::Torn),
            Content::Records { formatter, .. } => {
                formatter.finish(chunk);
                Ok(())
            }
            Content::Text => Ok(()),
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
