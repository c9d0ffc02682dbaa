//! Where the time of a pass over a million files goes.
//!
//! The same pass is made with more and more of what a read of `files` does, each
//! step by one thread of this process: a program that does nothing, ours with its
//! records thrown away, ours formatted. The last is cat on the mount, of which the
//! processor time counts: its parts overlap.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::peers::{NOTHING, Peer};
use crate::bench::reader::{PIECE, cat, drain};
use crate::bench::run::Run;
use crate::bench::spread::Spread;
use crate::many_files::ManyFiles;
use anyhow::{Context, Result};
use iterfs::format::Formatter;
use iterfs_bpf::schema::{Record, Schema};
use iterfs_bpf::{Caller, Kernel, View, each_row};
use iterfs_mapping::{Format, Instance, Node};

pub(super) const ROWS: &[&str] = &["stages"];

/// The stages, as the plot names them; the last is what is left.
pub const STAGES: [&str; 4] = [
    "the kernel's walk",
    "program and bpf_seq_write",
    "decoding and formatting",
    "buffering, replies, copies",
];

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let _files = ManyFiles::start(1000, 997);
    let mount = Mount::new();
    let meter = Meter {
        daemon: Some(mount.daemon()),
    };
    let nothing = Peer::load(NOTHING)?;
    let kernel = Kernel::new()?;
    let Some(Node::File(file)) = Node::parse("files") else {
        anyhow::bail!("there is no table of files");
    };
    let instance = file.instance();
    let mut buffer = vec![0; PIECE];
    let sides = vec![
        Side::new(STAGES[0], || {
            Meter::default().measure(|| drain(nothing.iterator()?, &mut buffer).map(drop))
        }),
        Side::new(STAGES[1], || {
            Meter::default().measure(|| records(&kernel, instance, |_, _| ()))
        }),
        Side::new(STAGES[2], || {
            let mut format = formatting();
            Meter::default().measure(|| records(&kernel, instance, &mut format))
        }),
        Side::new(STAGES[3], || cat(meter, &mount.path("files"))),
    ];
    let times = run.times(sides, Plan::new(7, 20))?;
    let mut before = 0.0;
    for times in &times {
        let more = times.cpu.median - before;
        before = times.cpu.median;
        run.figure(
            ROWS[0],
            &times.name,
            None,
            "ms of processors",
            Spread::of([more]),
        );
    }
    let last = times.last().context("stages")?;
    run.figure(ROWS[0], "all of it, by the clock", None, "ms", last.wall);
    Ok(())
}

fn records(
    kernel: &Kernel,
    instance: Instance,
    visit: impl FnMut(&Schema, Record<'_>),
) -> Result<()> {
    Ok(each_row(
        kernel,
        instance,
        &View::of(Caller::Daemon),
        visit,
    )?)
}

/// Formats rows and throws the text away, a chunk at a time.
fn formatting() -> impl FnMut(&Schema, Record<'_>) {
    let mut formatter = None;
    let mut chunk = Vec::with_capacity(2 * PIECE);
    move |schema, record| {
        let formatter = formatter.get_or_insert_with(|| Formatter::new(Format::Text, schema));
        formatter.row(schema, record, &mut chunk);
        if chunk.len() >= PIECE {
            chunk.clear();
        }
    }
}
