//! The time a row takes, of ten thousand to a million.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::reader::{cat, rows};
use crate::bench::run::Run;
use crate::bench::spread::Spread;
use crate::many_files::ManyFiles;
use anyhow::Result;

pub(super) const ROWS: &[&str] = &["scaling"];

/// Processes of a thousand rows each that there are at a step, with those before.
const STEPS: [usize; 5] = [10, 32, 100, 316, 1000];

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let mount = Mount::new();
    let meter = Meter {
        daemon: Some(mount.daemon()),
    };
    let path = mount.path("files");
    let (mut held, mut processes) = (Vec::new(), 0);
    let mut each = Vec::new();
    for step in STEPS {
        held.push(ManyFiles::start(step - processes, 997));
        processes = step;
        let rows = rows(&path)? as f64;
        let side = Side::new("iterfs", || cat(meter, &path));
        let time = run.times(vec![side], Plan::new(21, 5))?[0].wall;
        let nanoseconds = |milliseconds: f64| milliseconds * 1e6 / rows;
        let value = Spread {
            runs: time.runs,
            min: nanoseconds(time.min),
            lower: nanoseconds(time.lower),
            median: nanoseconds(time.median),
            upper: nanoseconds(time.upper),
            max: nanoseconds(time.max),
        };
        each.push(value.median);
        run.figure(
            ROWS[0],
            format!("{rows} rows of files"),
            None,
            "ns a row",
            value,
        );
    }
    let spread = Spread::of(each.iter().map(|median| median / each[0]));
    let most = (spread.max / spread.min - 1.0) * 100.0;
    let what = "most over least time a row";
    run.figure(ROWS[0], what, Some(10.0), "% more", Spread::of([most]));
    Ok(())
}
