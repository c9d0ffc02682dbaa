//! Where the time of a pass goes: over a million files, and over 18,800 TCP sockets.
//!
//! The same pass is made with more and more of what a read of the table does, each
//! step by one thread of this process: a program that does nothing, ours with its
//! records thrown away, ours formatted. The last is cat on the mount, of which the
//! processor time counts: its parts overlap.

use super::sockets;
use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::peers::{NOTHING, Peer};
use crate::bench::reader::{PIECE, cat, drain};
use crate::bench::run::Run;
use crate::bench::spread::Spread;
use crate::fixtures::many_files::ManyFiles;
use crate::fixtures::netns::in_new_net_namespace;
use anyhow::{Context, Result};
use iterfs_bpf::{Kernel, each_row};
use iterfs_fs::format::Formatter;
use iterfs_mapping::row::{Record, Schema};
use iterfs_mapping::{Format, Instance, Node};

/// The stages of `files`, which the plot shows, and of `net/tcp`.
pub const ROWS: &[&str] = &["stages-files", "stages-tcp"];

/// The stages; the last is what is left.
const STAGES: [&str; 4] = [
    "the kernel's walk",
    "program and bpf_seq_write",
    "decoding and formatting",
    "buffering, replies, copies",
];

pub(super) fn measure(run: &mut Run) -> Result<()> {
    if run.wants(&[ROWS[0]]) {
        let _files = ManyFiles::start(1000, 997);
        stages(run, ROWS[0], "files", NOTHING)?;
    }
    if run.wants(&[ROWS[1]]) {
        let nothing = NOTHING.replace("task_file", "tcp");
        in_new_net_namespace(|| {
            let _held = sockets::held();
            stages(run, ROWS[1], "net/tcp", &nothing)
        })?;
    }
    Ok(())
}

fn stages(run: &mut Run, row: &str, table: &str, nothing: &str) -> Result<()> {
    let mount = Mount::new();
    let meter = Meter::of(&mount);
    let nothing = Peer::load(nothing)?;
    let kernel = Kernel::new()?;
    let Some(Node::File(file)) = Node::parse(table) else {
        anyhow::bail!("there is no {table}");
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
        Side::new(STAGES[3], || cat(meter, &mount.path(table))),
    ];
    let times = run.times(sides, Plan::new(9, 15))?;
    let mut before = 0.0;
    for times in &times {
        let more = times.cpu.median - before;
        before = times.cpu.median;
        let value = Spread::of([more]);
        run.figure(row, &times.name, None, "ms of processors", value);
    }
    let last = times.last().context("stages")?;
    run.figure(row, "all of it, by the clock", None, "ms", last.wall);
    Ok(())
}

fn records(
    kernel: &Kernel,
    instance: Instance,
    visit: impl FnMut(&Schema, Record<'_>),
) -> Result<()> {
    Ok(each_row(kernel, instance, &kernel.own_view(), visit)?)
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
