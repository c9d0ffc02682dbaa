//! `automounter DIRECTORY COMMAND…`: see `iterfs_tests::mount::automounter`.

use anyhow::Context;
use rustix::process::{Signal, set_parent_process_death_signal};
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    // It must not outlive its test.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut arguments = std::env::args_os().skip(1);
    let directory = PathBuf::from(arguments.next().context("no directory")?);
    iterfs_tests::mount::automounter::serve(&directory, &arguments.collect::<Vec<_>>())
}
