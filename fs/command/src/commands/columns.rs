//! `iterfs columns PATH`.

use super::describe::describe;
use super::locate::locate;
use super::output::{failed, print};
use std::path::Path;
use std::process::ExitCode;

/// Prints the columns of a table, as its program documents them.
pub(crate) fn run(path: &Path) -> ExitCode {
    let description = match locate(path).and_then(|place| describe(&place)) {
        Ok(description) => description,
        Err(error) => return failed(&error),
    };
    let columns = description.columns.iter();
    let width = columns.map(|column| column.name.len()).max().unwrap_or(0);
    print(|out| {
        writeln!(out, "A row is {}.", description.row)?;
        for column in &description.columns {
            let on_request = if column.on_request {
                ", on request"
            } else {
                ""
            };
            writeln!(out, "{:width$}  {}", column.name, column.meaning)?;
            writeln!(out, "{:width$}  ({}{on_request})", "", column.kind)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
