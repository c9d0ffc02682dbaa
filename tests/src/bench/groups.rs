//! The rows, by the workload that they need.

use super::quiet;
use super::run::Run;
use anyhow::Result;
use std::panic::{AssertUnwindSafe, catch_unwind};

mod announcement;
mod asking;
mod cgroups;
mod elements;
mod first_open;
mod million;
mod opening;
mod processes;
mod readers;
pub mod scaling;
mod small;
mod sockets;
pub mod stages;
mod threads;

/// A group's rows, and what measures those of them that are wanted.
type Group = (&'static [&'static str], fn(&mut Run) -> Result<()>);

const GROUPS: &[Group] = &[
    (opening::ROWS, opening::measure),
    (first_open::ROWS, first_open::measure),
    (small::ROWS, small::measure),
    (readers::ROWS, readers::measure),
    (processes::ROWS, processes::measure),
    (threads::ROWS, threads::measure),
    (sockets::ROWS, sockets::measure),
    (million::ROWS, million::measure),
    (asking::ROWS, asking::measure),
    (stages::ROWS, stages::measure),
    (scaling::ROWS, scaling::measure),
    (elements::ROWS, elements::measure),
    (cgroups::ROWS, cgroups::measure),
    (announcement::ROWS, announcement::measure),
];

/// The names of all rows.
pub fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|(rows, _)| rows.iter().copied())
}

/// Measures what is wanted. A group that fails is noted, and the others go on.
///
/// # Errors
/// If somebody wants an end.
pub fn measure(run: &mut Run) -> Result<()> {
    for (rows, measure) in GROUPS {
        if !run.wants(rows) {
            continue;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            quiet::wait().and_then(|()| measure(run))
        }));
        run.go_on()?;
        let why = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "a fixture failed".into(),
        };
        run.report.missing(&rows.join(", "), why);
    }
    Ok(())
}
