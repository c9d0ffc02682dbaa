//! `iterfs columns PATH`.

use super::output::print;
use iterfs_bpf::{Error, Schema, objects, schema_of};
use iterfs_mapping::{Node, Table};
use std::process::ExitCode;

/// Describes a table's columns, as its program documents them.
pub fn run(path: &str) -> ExitCode {
    let Some(Node::File(file)) = Node::parse(path) else {
        eprintln!("iterfs: there is no table '{path}'; `iterfs targets` lists those there are");
        return ExitCode::FAILURE;
    };
    let schema = match schema(file.table.table()) {
        Ok(schema) => schema,
        Err(error) => {
            eprintln!("iterfs: {error}");
            return ExitCode::FAILURE;
        }
    };
    let width = schema
        .columns
        .iter()
        .map(|c| c.name.len())
        .max()
        .unwrap_or(0);
    print(|out| {
        writeln!(out, "A row is {}.", schema.row)?;
        for column in &schema.columns {
            writeln!(out, "{:width$}  {}", column.name, column.doc)?;
            writeln!(out, "{:width$}  ({})", "", column.kind.describe())?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The schema of a table, read from its program without loading it.
pub(super) fn schema(table: &Table) -> iterfs_bpf::Result<Schema> {
    let elf = objects::find(table.object).ok_or_else(|| Error::BadObject {
        object: table.object.into(),
        what: "no such program was built in".into(),
    })?;
    schema_of(table.object, elf)
}
