//! Reads rows, and picks those of a process.

use super::columns::select;
use crate::Row;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::str::FromStr;

/// The rest of an open table.
pub fn rest(mut file: &File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).expect("the rest of a table");
    text
}

/// The process ids in a table's rows.
pub fn pids(rows: &[Row]) -> BTreeSet<u32> {
    let pids = rows.iter().filter_map(|row| row["pid"].as_u64());
    pids.map(|pid| u32::try_from(pid).expect("a process id"))
        .collect()
}

/// The rows of one process.
pub fn of_process(rows: &[Row], pid: u32) -> Vec<Row> {
    let rows = select(rows, &[("pid", pid.into())]);
    rows.into_iter().cloned().collect()
}

/// The numbers among a directory's names.
pub fn numbers<T: FromStr + Ord>(names: &[String]) -> BTreeSet<T> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}
