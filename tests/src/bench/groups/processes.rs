//! Five thousand processes with twenty-one open files each.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::reader::{cat, command};
use crate::bench::run::Run;
use crate::fixtures::many_files::ManyFiles;
use anyhow::{Context, Result};
use std::env::current_exe;

pub(super) const ROWS: &[&str] = &["files-lsof", "files-walk", "processes-ps"];

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let _processes = ManyFiles::start(5000, 18);
    let mount = Mount::new();
    let meter = Meter::of(&mount);
    let this = current_exe()?;
    let this = this.to_str().context("a path in UTF-8")?;
    let ours = |table: &'static str| {
        let path = mount.path(table);
        Side::new("iterfs", move || cat(meter, &path))
    };
    run.compare(
        "files-lsof",
        "files, 105k rows: cat / lsof -nP",
        Some(1.0 / 75.0),
        Plan::new(5, 20),
        [
            ours("files"),
            Side::new("lsof -nP", || command(Meter::default(), "lsof", &["-nP"])),
        ],
    )?;
    run.compare(
        "files-walk",
        "files, 105k rows: cat / a compiled walk of /proc/*/fd",
        Some(1.0 / 12.0),
        Plan::new(11, 12),
        [
            ours("files"),
            Side::new("walk of /proc/*/fd", || {
                command(Meter::default(), this, &["walk"])
            }),
        ],
    )?;
    run.compare(
        "processes-ps",
        "processes, 5000 of them: cat / ps -ef",
        Some(1.0 / 30.0),
        Plan::new(15, 10),
        [
            ours("processes"),
            Side::new("ps -ef", || command(Meter::default(), "ps", &["-ef"])),
        ],
    )
}
