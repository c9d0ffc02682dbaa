//! What the commands that describe tables share.

use iterfs_bpf::{Error, Schema, objects, schema_of};
use iterfs_mapping::{Place, Table};

/// A table's path, with what differs between its directories in angle brackets.
pub(super) fn path(place: Place, name: &str) -> String {
    match place {
        Place::Root => name.into(),
        Place::Process => format!("pid/<n>/{name}"),
        Place::Net => format!("net/{name}"),
        Place::Bpf => format!("bpf/{name}"),
        Place::Map => format!("bpf/map/<id>/{name}"),
        Place::Cgroup => format!("cgroup/<path>/{name}"),
        Place::Kernel => format!("kernel/{name}"),
        Place::Summary => format!("summary/{name}"),
    }
}

/// The schema of a table, read from its program without loading it.
pub(super) fn schema(table: &Table) -> iterfs_bpf::Result<Schema> {
    let elf = objects::find(table.object).ok_or_else(|| Error::BadObject {
        object: table.object.into(),
        what: "no such program was built in".into(),
    })?;
    schema_of(table.object, elf)?.ok_or_else(|| Error::BadObject {
        object: table.object.into(),
        what: "no struct is marked as the row".into(),
    })
}
