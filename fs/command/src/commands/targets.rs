//! `iterfs targets`.

use super::output::print;
use iterfs_bpf::Kernel;
use iterfs_mapping::{TABLES, TableId, Target, layout};
use std::process::ExitCode;

/// Lists each target with its tables, and whether these can be opened.
pub(crate) fn run() -> ExitCode {
    let kernel = match Kernel::new() {
        Ok(kernel) => kernel,
        Err(error) => {
            eprintln!("iterfs: {error}");
            return ExitCode::FAILURE;
        }
    };
    print(|out| {
        writeln!(out, "{:<18} {:<4} {:<16} why", "target", "here", "tables")?;
        for target in layout::targets() {
            let tables: Vec<_> = TABLES
                .iter()
                .filter(|table| table.target == target)
                .map(|table| table.name)
                .collect();
            let (here, why) = match probe(&kernel, target) {
                Ok(()) => ("yes", String::from("-")),
                Err(error) => ("no", error.to_string()),
            };
            let tables = tables.join(",");
            writeln!(out, "{:<18} {here:<4} {tables:<16} {why}", target.name)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Starts a pass with each program of a target, as an open would.
fn probe(kernel: &Kernel, target: Target) -> iterfs_mapping::Result<()> {
    TableId::all()
        .filter(|id| id.table().target == target)
        .try_for_each(|table| kernel.try_table(table))
}
