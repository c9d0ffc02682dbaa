//! A whole pass over a table, row by row, for what the daemon itself wants to know.

use crate::error::Result;
use crate::record::Records;
use crate::schema::{Record, Schema, Value};
use crate::tables::{Pass, Progress, Tables, View};
use iterfs_mapping::Instance;

/// More than the kernel hands out at once.
const BUFFER: usize = 64 * 1024;

/// Walks a table with its own program and shows `visit` each row.
///
/// # Errors
/// Those of opening the table, and of the pass.
pub fn each_row(
    tables: &dyn Tables,
    instance: Instance,
    view: &View,
    mut visit: impl FnMut(&Schema, Record<'_>),
) -> Result<()> {
    let Pass {
        schema,
        source,
        rest,
        ..
    } = tables.open_own(instance, view)?;
    let Some(schema) = schema else {
        return Ok(());
    };
    let mut buffer = vec![0; BUFFER];
    for mut part in [source].into_iter().chain(rest) {
        let mut kept = 0;
        loop {
            match part.read(&mut buffer[kept..])? {
                Progress::End => break,
                Progress::Nothing => {}
                Progress::Bytes(bytes) => {
                    let end = kept + bytes;
                    let mut records = Records::new(&schema, &buffer[..end]);
                    (&mut records).for_each(|record| visit(&schema, record));
                    kept = records.rest().len();
                    buffer.copy_within(end - kept..end, 0);
                }
            }
        }
    }
    Ok(())
}

/// The number in a column of this name, if it has one.
pub(crate) fn number(schema: &Schema, name: &str, record: Record<'_>) -> Option<u64> {
    let column = schema.columns.iter().find(|column| column.name == name)?;
    match column.value(record) {
        Value::Unsigned(number) => Some(number),
        _ => None,
    }
}
