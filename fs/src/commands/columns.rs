//! `iterfs columns PATH`.

use super::output::print;
use iterfs_bpf::{objects, schema_of};
use iterfs_mapping::Node;
use std::process::ExitCode;

/// Describes a table's columns, as its program documents them.
pub fn run(path: &str) -> ExitCode {
    let Some(Node::File(file)) = Node::parse(path) else {
        eprintln!("iterfs: there is no table '{path}'; `iterfs targets` lists those there are");
        return ExitCode::FAILURE;
    };
    let table = file.table.table();
    let schema = match objects::find(table.object).map(|elf| schema_of(table.object, elf)) {
        Some(Ok(schema)) => schema,
        Some(Err(error)) => {
            eprintln!("iterfs: {error}");
            return ExitCode::FAILURE;
        }
        None => {
            eprintln!("iterfs: no program was built in for '{path}'");
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
