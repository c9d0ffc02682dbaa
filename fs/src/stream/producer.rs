//! Takes records from a pass and formats them into chunks.

use crate::error::{Failure, Result};
use crate::format::Formatter;
use iterfs_bpf::record::Records;
use iterfs_bpf::{Pass, Progress};
use iterfs_mapping::Format;
use std::cell::RefCell;

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
    pass: Pass,
    formatter: Formatter,
    /// The beginning of a record of which the rest has not come.
    torn: Vec<u8>,
    begun: bool,
}

/// How far the producer came.
pub(super) enum Step {
    /// There may be more.
    More,
    /// The pass is over.
    End(Result<()>),
}

impl Producer {
    pub(super) fn new(pass: Pass, format: Format) -> Producer {
        let formatter = Formatter::new(format, &pass.schema);
        Producer {
            pass,
            formatter,
            torn: Vec::new(),
            begun: false,
        }
    }

    /// Fills a chunk, which may stay empty where many objects give no row.
    pub(super) fn fill(&mut self, chunk: &mut Vec<u8>) -> Step {
        if !self.begun {
            self.begun = true;
            self.formatter.begin(chunk);
        }
        while chunk.len() < CHUNK {
            match self.read(chunk) {
                Ok(Progress::Bytes(_)) => {}
                Ok(Progress::Nothing) => return Step::More,
                Ok(Progress::End) if self.torn.is_empty() => {
                    self.formatter.finish(chunk);
                    return Step::End(Ok(()));
                }
                Ok(Progress::End) => return Step::End(Err(Failure::Torn)),
                Err(failure) => return Step::End(Err(failure)),
            }
        }
        Step::More
    }

    /// Takes the pass one step on.
    fn read(&mut self, chunk: &mut Vec<u8>) -> Result<Progress> {
        RECORDS.with_borrow_mut(|buffer| {
            let before = self.torn.len();
            // A long row comes at once, where its source has it whole.
            let room = before + KERNEL_BUFFER.max(self.pass.schema.fixed_size);
            if buffer.len() < room {
                buffer.resize(room, 0);
            }
            buffer[..before].copy_from_slice(&self.torn);
            let progress = self.pass.source.read(&mut buffer[before..])?;
            if let Progress::Bytes(bytes) = progress {
                let schema = &self.pass.schema;
                let mut records = Records::new(schema, &buffer[..before + bytes]);
                for record in &mut records {
                    self.formatter.row(schema, record, chunk);
                }
                self.torn.clear();
                self.torn.extend_from_slice(records.rest());
            }
            if room > 2 * KERNEL_BUFFER {
                // The thread outlives this pass.
                buffer.truncate(KERNEL_BUFFER);
                buffer.shrink_to_fit();
            }
            Ok(progress)
        })
    }
}
