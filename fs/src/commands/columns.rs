//! `iterfs columns PATH`.

use super::output::print;
use iterfs_bpf::{Error, Schema, objects, schema_of};
use iterfs_mapping::{Directory, File, Format, Node, Table};
use std::process::ExitCode;

/// Describes a table's columns, as its program documents them.
pub fn run(path: &str) -> ExitCode {
    // As the documentation writes it, any process will do.
    let Some(Node::File(file)) = Node::parse(&path.replace("<n>", "1")) else {
        let tables: Vec<_> = Directory::Root
            .directories()
            .chain([Directory::Root])
            .flat_map(Directory::files)
            .filter(|file| file.format == Format::Text)
            .map(File::path)
            .collect();
        let tables = tables.join(", ");
        eprintln!("iterfs: there is no table '{path}' below a mount; there are {tables}");
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
