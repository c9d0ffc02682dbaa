//! The table in which BPF iterators were announced: tasks that all hold files, a
//! program that does nothing, how often it is called and how long that takes.

use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::peers::{NOTHING, Peer};
use crate::bench::quiet;
use crate::bench::reader::{PIECE, drain};
use crate::bench::run::Run;
use crate::bench::spread::Spread;
use crate::bench::sys::count_calls;
use crate::fixtures::many_files::ManyFiles;
use anyhow::Result;

pub(super) const ROWS: &[&str] = &["announcement"];

const SIZES: [(usize, usize); 3] = [(100, 100), (1000, 1000), (10_000, 100)];

pub(super) fn measure(run: &mut Run) -> Result<()> {
    for (tasks, files) in SIZES {
        run.go_on()?;
        quiet::wait()?;
        // Three are there already: the standard ones.
        let _held = ManyFiles::start(tasks, files - 3);
        let program = Peer::load(NOTHING)?;
        let mut buffer = vec![0; PIECE];
        let side = Side::new("do-nothing iterator", || {
            Meter::default().measure(|| drain(program.iterator()?, &mut buffer).map(drop))
        });
        let times = run.times(vec![side], Plan::new(15, 5))?;
        let name = format!("{tasks} tasks of {files} files");
        let time = times[0].wall;
        run.figure(ROWS[0], format!("{name}: latency"), None, "ms", time);

        // Counting makes each call slower, so it has a pass of its own.
        let counting = count_calls()?;
        let before = program.calls()?;
        drain(program.iterator()?, &mut buffer)?;
        let calls = program.calls()?;
        drop(counting);
        let count = calls.count - before.count;
        let value = Spread::of([count as f64]);
        run.figure(ROWS[0], format!("{name}: program calls"), None, "", value);
    }
    Ok(())
}
