//! Code that the commands that describe tables share.

use iterfs_bpf::{objects, schema_of};
use iterfs_mapping::{Error, Result, Schema, Table};

/// The schema of a table, read from its program without loading it.
pub(super) fn schema(table: &Table) -> Result<Schema> {
    let elf = objects::find(table.object).ok_or_else(|| Error::BadObject {
        object: table.object.into(),
        what: "no such program was built in".into(),
    })?;
    schema_of(table.object, elf)?.ok_or_else(|| Error::BadObject {
        object: table.object.into(),
        what: "no struct is marked as the row".into(),
    })
}
