//! Measures iterfs beside its peers: see docs/PERFORMANCE.md.
//!
//! `bench [--json FILE] [ROW…]` measures the rows whose names begin so, or all.
//! `bench list` names them. `bench document JSON CRITERION DOCUMENT PLOT` writes
//! the tables of a run into the document, those of criterion's directory, and the plot. `bench walk` is a peer.

use anyhow::{Context, Result, bail};
use iterfs_tests::bench::{Run, document, groups, plot, report::Report, walk};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn main() -> Result<ExitCode> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("list") => groups::names().for_each(|name| println!("{name}")),
        Some("walk") => walk::print(std::io::stdout().lock())?,
        Some("document") => {
            let [_, json, criterion, text, svg] = words.as_slice() else {
                bail!("usage: bench document JSON CRITERION DOCUMENT PLOT");
            };
            let report: Report = serde_json::from_str(&fs::read_to_string(json)?)?;
            let old = fs::read_to_string(text)?;
            fs::write(text, document::filled(&old, &report, criterion.as_ref())?)?;
            fs::write(svg, plot::drawn(&report))?;
        }
        _ => {
            let mut json = None;
            if words.first().is_some_and(|word| word == "--json") {
                json = words.drain(..2.min(words.len())).nth(1).map(PathBuf::from);
            }
            return measure(words, json);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(only: Vec<String>, json: Option<PathBuf>) -> Result<ExitCode> {
    for row in &only {
        if !groups::names().any(|name| name.starts_with(row.as_str())) {
            bail!("no row's name begins with {row}; `bench list` names them");
        }
    }
    // Mounts made here go with this process and its children, however they end.
    unshare(CloneFlags::CLONE_NEWNS).context("run this as root")?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second one ends it at once.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }

    let mut run = Run::new(only, stop)?;
    let machine = &run.report.machine;
    println!(
        "Linux {}, {} processors ({}), {} MiB, load {}",
        machine.kernel, machine.processors, machine.processor, machine.memory, machine.load
    );
    groups::measure(&mut run)?;
    if let Some(json) = json {
        let text = serde_json::to_string_pretty(&run.report)?;
        fs::write(&json, text + "\n").with_context(|| format!("{}", json.display()))?;
        println!("written to {}", json.display());
    }
    let failed = run.report.missing.iter().any(|row| row.name != "summary");
    Ok(ExitCode::from(u8::from(failed)))
}
