//! The results of the benches of decoding and formatting (fs/benches/formats), from the
//! files that criterion leaves.

use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const GROUPS: [&str; 5] = ["decode", "text", "json", "jsonl", "csv"];
const TABLES: [(&str, u32); 3] = [("netlink", 10), ("files", 15), ("tcp", 27)];

/// The table of a directory of criterion's.
///
/// # Errors
/// If a file is not there or not as criterion writes it.
pub fn table(criterion: &Path) -> Result<String> {
    let mut text = String::from(
        "| | columns | ns a row | rows a second | MB a second |\n|---|--:|--:|--:|--:|\n",
    );
    for group in GROUPS {
        for (table, columns) in TABLES {
            let directory = criterion.join(group).join(table).join("new");
            let number = |file: &str, pointer: &str| {
                let path = directory.join(file);
                let found = fs::read_to_string(&path).map(|text| {
                    let value: Option<Value> = serde_json::from_str(&text).ok();
                    value.and_then(|value| value.pointer(pointer)?.as_f64())
                });
                let missing = || format!("no {pointer} in {}", path.display());
                found.with_context(missing)?.with_context(missing)
            };
            let rows = number("benchmark.json", "/throughput/ElementsAndBytes/elements")?;
            let bytes = number("benchmark.json", "/throughput/ElementsAndBytes/bytes")?;
            let time = number("estimates.json", "/median/point_estimate")?;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {group}, `{table}` | {columns} | {:.0} | {:.2}M | {:.0} |",
                time / rows,
                rows / time * 1e3,
                bytes / time * 1e3
            );
        }
    }
    Ok(text)
}
