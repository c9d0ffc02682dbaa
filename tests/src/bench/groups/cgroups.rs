//! A thousand cgroups.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::reader::{cat, command};
use crate::bench::run::Run;
use crate::fixtures::cgroups::Cgroups;
use anyhow::{Context, Result};

pub(super) const ROWS: &[&str] = &["cgroups-cat"];

/// Reads what a table row has, file by file.
const SCRIPT: &str = r#"find "$0" -name cgroup.stat -exec cat {} + -printf '%i %p\n'"#;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let cgroups = Cgroups::new();
    for number in 0..1000 {
        cgroups.make(format!("{}/{number}", number % 30));
    }
    let mount = Mount::new();
    let meter = Meter::of(&mount);
    let table = mount.path(&format!("cgroup/{}/cgroup.descendants", cgroups.name()));
    let directory = cgroups.path().to_str().context("a path in UTF-8")?;
    run.compare(
        "cgroups-cat",
        "cgroup.descendants, 1030 cgroups: cat / find of cgroup.stat in cgroupfs",
        None,
        Plan::new(11, 5),
        [
            Side::new("iterfs", || cat(meter, &table)),
            Side::new("find -exec cat {} +", || {
                command(Meter::default(), "sh", &["-c", SCRIPT, directory])
            }),
        ],
    )
}
