//! `iterfs tables`: the reference of all tables, as docs/TABLES.md has it.

use super::output::print;
use super::reference::schema;
use iterfs_mapping::Schema;
use iterfs_mapping::{Audience, Scope, TABLES, Table};
use std::io::{self, Write};
use std::process::ExitCode;

const INTRODUCTION: &str = "\
# The tables

Every table with its columns, as the programs themselves document them. This file
is written by `make docs` and a test holds it to the programs.

Text shows what is absent as `-`, JSON as null. How values are spelled stands in
[SEMANTICS.md](SEMANTICS.md).
";

/// Writes the reference.
pub(crate) fn run() -> ExitCode {
    print(|out| {
        out.write_all(INTRODUCTION.as_bytes())?;
        for (index, table) in TABLES.iter().enumerate() {
            // Tables of one program differ in where it starts, and are told of once.
            let alike = |other: &&Table| other.object == table.object;
            if TABLES[..index].iter().any(|other| alike(&other)) {
                continue;
            }
            let alike: Vec<_> = TABLES[index..].iter().filter(alike).collect();
            match schema(table) {
                Ok(schema) => describe(out, &alike, &schema)?,
                Err(error) => {
                    eprintln!("iterfs: {error}");
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Describes tables that one program walks.
fn describe(out: &mut dyn Write, tables: &[&Table], schema: &Schema) -> io::Result<()> {
    let Some(table) = tables.first() else {
        return Ok(());
    };
    let paths = tables.iter().flat_map(|table| {
        let places = table.places.iter();
        let patterns = places.filter_map(|place| place.patterns().first());
        patterns.map(|pattern| format!("`{}`", pattern.documented(table.name)))
    });
    let paths: Vec<_> = paths.collect();
    writeln!(out, "\n## {}\n", paths.join(", "))?;
    writeln!(
        out,
        "A row is {}. Walks `{}` (Linux {}), as seen from {}{}.\n",
        schema.row,
        table.target.name,
        table.target.since,
        view(table.scope),
        match table.audience {
            Audience::Readers => "",
            Audience::Root => "; for root alone",
        }
    )?;
    writeln!(out, "| column | type | meaning |\n|---|---|---|")?;
    for column in &schema.columns {
        let kind = column.kind.describe();
        writeln!(
            out,
            "| `{}` | {kind} | {} |",
            column.name,
            escaped(&column.doc)
        )?;
    }
    Ok(())
}

/// Text as a cell of a Markdown table shows it.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn view(scope: Scope) -> &'static str {
    match scope {
        Scope::PidNamespace => "the reader's pid namespace",
        Scope::NetNamespace => "the reader's net namespace",
        Scope::PidAndNetNamespace => "the reader's pid and net namespaces",
        Scope::Host => "the host",
    }
}
