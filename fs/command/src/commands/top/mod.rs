//! `iterfs top PATH`: shows a table again and again, with the rates of its counters.
//!
//! Each pass reads the table's CSV file, as any reader can ([`reading`]). [`table`] makes cells
//! and rates of two passes, [`units`] makes them readable, [`screen`] owns the terminal, and
//! [`display`] shows tables on it.

mod display;
mod reading;
mod screen;
mod table;
mod units;

use super::output::{failed, print};
use anyhow::Result;
use reading::Reading;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;
use table::Rates;

/// Shows a table until the user quits, or for a number of passes.
pub(crate) fn run(path: &Path, delay: &str, passes: Option<u64>) -> ExitCode {
    let reading = match Reading::of(path, delay) {
        Ok(reading) => reading,
        Err(error) => return failed(&error),
    };
    let shown = match io::stdout().is_terminal() {
        true => display::run(reading, passes).map(|()| ExitCode::SUCCESS),
        false => print_all(&reading, passes),
    };
    shown.unwrap_or_else(|error| failed(&error))
}

/// Prints one table after another, with an empty line between two.
fn print_all(reading: &Reading, passes: Option<u64>) -> Result<ExitCode> {
    let mut rates = Rates::default();
    let mut next = Instant::now();
    let mut failure = None;
    let code = print(|out| {
        for pass in 0..passes.unwrap_or(u64::MAX) {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next = Instant::now() + reading.delay;
            let table = match reading.read() {
                Ok(read) => rates.table(reading, read),
                Err(error) => {
                    failure = Some(error);
                    return Err(ErrorKind::BrokenPipe.into());
                }
            };
            if pass > 0 {
                writeln!(out)?;
            }
            for line in table.lines() {
                writeln!(out, "{}", line.trim_end())?;
            }
            out.flush()?;
        }
        Ok(ExitCode::SUCCESS)
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(code),
    }
}
