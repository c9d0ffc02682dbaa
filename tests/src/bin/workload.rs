//! Becomes a process that a test knows: see `iterfs_tests::fixtures::workload`.
//!
//! `workload idle | threads | netlink | files DIRECTORY | mappings FILE | tables
//! | connected CONNECTIONS | many PROCESSES FILES | withholding DIRECTORY | withheld FILE`

use iterfs_tests::fixtures::workload::{
    answers, connected, files, many, mappings, netlink, threads, withholding,
};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde_json::json;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    // Stopped or burning, it must not outlive its test.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut arguments = std::env::args_os().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let mut number = || arguments.next()?.to_str()?.parse().ok();
    let facts = match kind.to_str() {
        Some("idle") => json!({}),
        Some("threads") => threads::start()?,
        Some("netlink") => netlink::start()?,
        Some("files") => files::open(&PathBuf::from(arguments.next().unwrap_or_default()))?,
        Some("mappings") => mappings::of(&PathBuf::from(arguments.next().unwrap_or_default()))?,
        Some("connected") => connected::start(number().unwrap_or_default())?,
        Some("many") => {
            let (processes, files) = number().zip(number()).unwrap_or_default();
            answers::ready(many::start(processes, files)?)?;
            many::end();
            return Ok(());
        }
        Some("withholding") => {
            withholding::start(&PathBuf::from(arguments.next().unwrap_or_default()))?
        }
        Some("withheld") => {
            let path = PathBuf::from(arguments.next().unwrap_or_default());
            return Ok(withholding::be_withheld(&path)?);
        }
        Some("tables") => files::unshared_tables()?,
        _ => anyhow::bail!("no workload {kind:?}"),
    };
    answers::ready(facts)?;
    Ok(answers::serve()?)
}
