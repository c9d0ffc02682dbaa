//! `iterfs columns PATH`.

use super::output::print;
use super::reference::{self, schema};
use iterfs_mapping::{Node, TABLES};
use std::process::ExitCode;

/// Describes a table's columns, as its program documents them.
pub fn run(path: &str) -> ExitCode {
    // As the documentation writes it: any process, any map will do.
    let plain = path.replace("<n>", "1").replace("<id>", "1");
    let Some(Node::File(file)) = Node::parse(&plain) else {
        let tables: Vec<_> = TABLES
            .iter()
            .flat_map(|table| {
                table
                    .places
                    .iter()
                    .map(|place| reference::path(*place, table.name))
            })
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
