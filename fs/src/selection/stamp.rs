//! The column `time`: the time at which the pass of a row began.

use super::output::Output;
use super::walk::Walk;
use iterfs_mapping::contract::{Pass, Progress, Source};
use iterfs_mapping::query::{Fault, Wrong};
use iterfs_mapping::row::{Column, Kind, Role, Schema};
use iterfs_mapping::{Error, Result};
use std::sync::Arc;
use std::time::SystemTime;

/// The name of the column.
const NAME: &str = "time";

/// The number of bytes of a time in RFC 3339 with milliseconds, in UTC.
const LENGTH: usize = "2000-01-01T00:00:00.000Z".len();

/// A pass whose rows begin with a time. Everything before the column `time` stays where it is
/// in a record, so conditions on other columns need not know of it.
///
/// # Errors
/// [`Error::PrintsText`] if there are no columns, and [`Error::Question`] if one of them is
/// called so already.
pub(crate) fn stamp(mut pass: Pass, time: SystemTime) -> Result<Pass> {
    let inner = pass.schema.take().ok_or(Error::PrintsText)?;
    if inner.columns.iter().any(|column| column.name == NAME) {
        return Err(Error::Question(Fault::of(NAME.as_bytes(), Wrong::Twice)));
    }
    let text = humantime::format_rfc3339_millis(time).to_string();
    let stamp: Arc<[u8]> = text
        .bytes()
        .chain(std::iter::repeat(0))
        .take(LENGTH)
        .collect();
    let stamped = |source| {
        Box::new(Stamped {
            walk: Walk::new(source, Arc::clone(&inner), Arc::default()),
            stamp: Arc::clone(&stamp),
            output: Output::default(),
        }) as Box<dyn Source>
    };
    Ok(Pass {
        schema: Some(Arc::new(schema(&inner))),
        source: stamped(pass.source),
        rest: pass.rest.into_iter().map(stamped).collect(),
        ..pass
    })
}

/// The records of a schema, each with a time at the end of its fixed part.
fn schema(inner: &Schema) -> Schema {
    let time = Column {
        doc: "time at which the pass began (RFC 3339, UTC)".into(),
        role: Role::Key,
        ..Column::new(NAME, inner.fixed_size, Kind::Text(LENGTH))
    };
    Schema {
        fixed_size: inner.fixed_size + LENGTH,
        columns: std::iter::once(time)
            .chain(inner.columns.iter().cloned())
            .collect(),
        ..inner.clone()
    }
}

struct Stamped {
    walk: Walk,
    stamp: Arc<[u8]>,
    output: Output,
}

impl Source for Stamped {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        if self.output.is_empty() {
            let (output, stamp) = (&mut self.output, &self.stamp);
            let progress = self.walk.step(u64::MAX, |record| {
                output.push(record.fixed());
                output.push(stamp);
                output.push(record.tail());
                true
            })?;
            match progress {
                Progress::Bytes(_) if self.output.is_empty() => return Ok(Progress::Nothing),
                Progress::Bytes(_) => {}
                Progress::Nothing => return Ok(Progress::Nothing),
                // The reader of the pass finds out that a record has no end.
                Progress::End => self.output.push(&self.walk.take_torn()),
            }
        }
        Ok(match self.output.read(buffer) {
            0 => Progress::End,
            bytes => Progress::Bytes(bytes),
        })
    }
}
