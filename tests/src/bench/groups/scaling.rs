//! The time a row takes, of ten thousand to a million.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::peers::{FILES_TEXT, Peer};
use crate::bench::reader::{PIECE, drain, rows};
use crate::bench::run::Run;
use crate::bench::spread::Spread;
use crate::fixtures::many_files::ManyFiles;
use anyhow::{Result, ensure};
use std::fs::File;
use std::path::Path;

pub(super) const ROWS: &[&str] = &["scaling"];

/// Processes of a thousand rows each that there are at a step, with those before.
const STEPS: [usize; 5] = [10, 32, 100, 316, 1000];

/// How our figures begin, and those of a pinned iterator beside it.
pub const SIDES: [&str; 2] = ["iterfs", "pinned BPF_SEQ_PRINTF"];

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let mount = Mount::new();
    let meter = Meter::of(&mount);
    let path = mount.path("files");
    let mut text = Peer::load(FILES_TEXT)?;
    let pin = text.pin(&run.pins, "scaling")?;
    let (mut held, mut processes) = (Vec::new(), 0);
    let (mut medians, mut processors) = ([Vec::new(), Vec::new()], Vec::new());
    for step in STEPS {
        held.push(ManyFiles::start(step - processes, 997));
        processes = step;
        let rows = rows(&path)?;
        ensure!(
            rows < step as u64 * 1050 + 500,
            "{rows} rows, where {step} thousand are ours: others are at work"
        );
        // Read here: a command's start would count for more the fewer rows there are.
        let side = |name: &str, meter: Meter, path: &Path| {
            let (path, mut buffer) = (path.to_owned(), vec![0; PIECE]);
            let mut read = move || drain(File::open(&path)?, &mut buffer).map(drop);
            Side::new(name, move || meter.measure(&mut read))
        };
        let sides = vec![
            side(SIDES[0], meter, &path),
            side(SIDES[1], Meter::default(), &pin),
        ];
        let times = run.times(sides, Plan::new(21, 6))?;
        processors.push(times[0].cpu.median / rows as f64);
        for (times, medians) in times.iter().zip(&mut medians) {
            let value = times.wall.times(1e6 / rows as f64);
            medians.push(value.median);
            let what = format!("{rows} rows, {}", times.name);
            run.figure(ROWS[0], what, None, "ns a row", value);
        }
    }
    for (name, goal, medians) in [
        (SIDES[0], Some(10.0), &medians[0]),
        (SIDES[1], None, &medians[1]),
        ("iterfs, of processor time", None, &processors),
    ] {
        let spread = Spread::of(medians.iter().copied());
        let most = (spread.max / spread.min - 1.0) * 100.0;
        let what = format!("most over least time a row: {name}");
        run.figure(ROWS[0], what, goal, "% more", Spread::of([most]));
    }
    Ok(())
}
