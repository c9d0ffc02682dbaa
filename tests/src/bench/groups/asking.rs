//! Names that ask something of a million open files.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::peers::{NOTHING, Peer};
use crate::bench::reader::{PIECE, drain};
use crate::bench::run::Run;
use crate::fixtures::many_files::ManyFiles;
use anyhow::Result;
use std::fs::File;

pub(super) const ROWS: &[&str] = &["asking-filter", "asking-columns", "asking-top"];

const PLAN: Plan = Plan::new(9, 15);

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let _files = ManyFiles::start(1000, 997);
    let mount = Mount::new();
    let meter = Meter::of(&mount);
    let nothing = Peer::load(NOTHING)?;
    let ours = |name: &str| {
        let (path, mut buffer) = (mount.path(name), vec![0; PIECE]);
        let mut read = move || drain(File::open(&path)?, &mut buffer).map(drop);
        Side::new(name, move || meter.measure(&mut read))
    };
    let mut buffer = vec![0; PIECE];
    run.compare(
        ROWS[0],
        "files@type=sock, few of 1M files / an iterator whose program does nothing",
        Some(1.25),
        PLAN,
        [
            ours("files@type=sock"),
            Side::new("do-nothing iterator", || {
                Meter::default().measure(|| drain(nothing.iterator()?, &mut buffer).map(drop))
            }),
        ],
    )?;
    run.compare(
        ROWS[1],
        "files@pid,fd,type, 1M rows / files",
        Some(0.55),
        PLAN,
        [ours("files@pid,fd,type"), ours("files")],
    )?;
    run.compare(
        ROWS[2],
        "files@top=10:size,pid,fd,size of 1M files / files",
        None,
        PLAN,
        [ours("files@top=10:size,pid,fd,size"), ours("files")],
    )
}
