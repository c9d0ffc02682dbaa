//! `iterfs tables`: prints the reference of all tables, docs/TABLES.md.

use super::output::print;
use super::reference::schema;
use iterfs_mapping::Schema;
use iterfs_mapping::{Audience, Scope, TABLES, Table};
use std::io::{self, Write};
use std::process::ExitCode;

const INTRODUCTION: &str = "\
# The tables

This document lists every table with its columns, as the programs themselves document
them. `make docs` writes it, and a test compares it with the programs.

An absent value is `-` in text, null in JSON and empty in CSV. \"none\" in a meaning stands
for an absent value. [SEMANTICS.md](SEMANTICS.md) describes how values are written.
";

/// Writes the reference.
pub(crate) fn run() -> ExitCode {
    print(|out| {
        out.write_all(INTRODUCTION.as_bytes())?;
        for (index, table) in TABLES.iter().enumerate() {
            // Tables of one program differ only in where it starts; describe them once.
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

/// Describes the tables of one program.
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
        "A row is {}. The table walks `{}` (Linux {}), as seen from {}{}.\n",
        schema.row,
        table.target.name,
        table.target.since,
        view(table.scope),
        match table.audience {
            Audience::Readers => "",
            Audience::Root => "; only for root",
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

/// Text escaped for a cell of a Markdown table.
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
