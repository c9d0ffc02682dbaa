//! A million open files.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::peers::{FILES_TEXT, NOTHING, Peer};
use crate::bench::reader::{PIECE, cat, drain};
use crate::bench::run::Run;
use crate::fixtures::many_files::ManyFiles;
use anyhow::Result;
use std::fs::File;

pub(super) const ROWS: &[&str] = &["files-pin", "files-json", "summary"];

/// The summary whose groups are counted inside the kernel.
const SUMMARY: &str = "summary/fds_by_process";

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let _files = ManyFiles::start(1000, 997);
    let mount = Mount::new();
    let meter = Meter::of(&mount);
    let mut text = Peer::load(FILES_TEXT)?;
    let pin = text.pin(&run.pins, "files")?;
    run.compare(
        "files-pin",
        "files, 1M rows: cat / cat of a pin of the same columns",
        Some(0.3),
        Plan::new(11, 25),
        [
            Side::new("iterfs", || cat(meter, &mount.path("files"))),
            Side::new("pinned BPF_SEQ_PRINTF", || cat(Meter::default(), &pin)),
        ],
    )?;
    run.compare(
        "files-json",
        "files.json, 1M rows: cat / cat of the same pin",
        None,
        Plan::new(5, 10),
        [
            Side::new("iterfs", || cat(meter, &mount.path("files.json"))),
            Side::new("pinned BPF_SEQ_PRINTF", || cat(Meter::default(), &pin)),
        ],
    )?;
    if run.wants(&["summary"]) {
        summary(run, &mount, meter)?;
    }
    Ok(())
}

fn summary(run: &mut Run, mount: &Mount, meter: Meter) -> Result<()> {
    let path = mount.path(SUMMARY);
    if !path.exists() {
        run.report
            .missing("summary", format!("there is no {SUMMARY}"));
        return Ok(());
    }
    let nothing = Peer::load(NOTHING)?;
    let [mut ours, mut theirs] = [vec![0; PIECE], vec![0; PIECE]];
    run.compare(
        "summary",
        "a summary over 1M files / an iterator whose program does nothing",
        Some(1.1),
        Plan::new(9, 15),
        [
            Side::new("iterfs", || {
                meter.measure(|| drain(File::open(&path)?, &mut ours).map(drop))
            }),
            Side::new("do-nothing iterator", || {
                Meter::default().measure(|| drain(nothing.iterator()?, &mut theirs).map(drop))
            }),
        ],
    )
}
