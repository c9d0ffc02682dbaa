//! The first rows of a pass.

use super::STEP;
use super::output::Output;
use super::walk::Walk;
use iterfs_mapping::Result;
use iterfs_mapping::contract::{Progress, Source};
use std::collections::VecDeque;
use std::time::Instant;

/// A pass that ends after some number of rows. Its parts are read one after another, because
/// the rows of a later part may not be needed.
pub(super) struct First {
    /// The parts that are not over. Dropping one closes its iterators.
    walks: VecDeque<Walk>,
    /// The number of rows to come.
    left: u64,
    output: Output,
}

impl First {
    pub(super) fn new(walks: impl Iterator<Item = Walk>, rows: u64) -> First {
        First {
            walks: walks.collect(),
            left: rows,
            output: Output::default(),
        }
    }
}

impl Source for First {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        let begun = Instant::now();
        loop {
            if !self.output.is_empty() {
                return Ok(Progress::Bytes(self.output.read(buffer)));
            }
            let Some(walk) = self.walks.front_mut() else {
                return Ok(Progress::End);
            };
            let (left, output) = (&mut self.left, &mut self.output);
            let progress = walk.step(*left, |record| {
                output.push(record.fixed());
                output.push(record.tail());
                *left -= 1;
                *left > 0
            })?;
            if self.left == 0 {
                self.walks.clear();
                continue;
            }
            match progress {
                Progress::End if walk.torn().is_empty() => {
                    self.walks.pop_front();
                }
                // The reader of the pass finds out that a record has no end.
                Progress::End => {
                    self.output.push(walk.torn());
                    self.walks.clear();
                }
                Progress::Nothing => return Ok(Progress::Nothing),
                Progress::Bytes(_) if self.output.is_empty() && begun.elapsed() >= STEP => {
                    return Ok(Progress::Nothing);
                }
                Progress::Bytes(_) => {}
            }
        }
    }
}
