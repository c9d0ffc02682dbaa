//! Becomes a process that a test knows: see `iterfs_tests::workload`.
//!
//! `workload idle | threads | netlink | files DIRECTORY | mappings FILE | tables`

use iterfs_tests::workload::{answers, files, mappings, netlink, threads};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde_json::json;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    // Stopped or burning, it must not outlive its test.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut arguments = std::env::args_os().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let facts = match kind.to_str() {
        Some("idle") => json!({}),
        Some("threads") => threads::start()?,
        Some("netlink") => netlink::start()?,
        Some("files") => files::open(&PathBuf::from(arguments.next().unwrap_or_default()))?,
        Some("mappings") => mappings::of(&PathBuf::from(arguments.next().unwrap_or_default()))?,
        Some("tables") => files::unshared_tables()?,
        _ => anyhow::bail!("no workload {kind:?}"),
    };
    answers::ready(facts)?;
    Ok(answers::serve()?)
}
