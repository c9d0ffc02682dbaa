//! Opening, reading and closing a small table, many times over.

use crate::Mount;
use crate::bench::cost::{Cost, Meter};
use crate::bench::pairs::{Plan, Side};
use crate::bench::peers::{NETLINK_TEXT, Peer};
use crate::bench::reader::drain;
use crate::bench::run::Run;
use crate::fixtures::netns::in_new_net_namespace;
use crate::oracles::proc;
use anyhow::Result;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::fs::File;
use std::path::Path;

pub(super) const ROWS: &[&str] = &["small-one-cpu", "small-two-cpus", "small-unpinned"];

/// Opens in a batch. The times shown are of a batch.
const BATCH: usize = 500;

/// On which processors the daemon and the reader run.
const PLACES: [(&str, Option<[usize; 2]>); 3] = [
    ("on one processor", Some([0, 0])),
    ("on two processors", Some([0, 1])),
    ("wherever they run", None),
];

pub(super) fn measure(run: &mut Run) -> Result<()> {
    // The table has few rows in an empty namespace, the same ones for both.
    in_new_net_namespace(|| {
        let mount = Mount::new();
        let meter = Meter::of(&mount);
        let ours = mount.path("net/netlink");
        let mut peer = Peer::load(NETLINK_TEXT)?;
        let pin = peer.pin(&run.pins, "netlink")?;
        for (name, (place, processors)) in ROWS.iter().zip(PLACES) {
            if !run.wants(&[name]) {
                continue;
            }
            let [daemon, reader] = match processors {
                Some(processors) => processors.map(Some),
                None => [None, None],
            };
            for thread in proc::numbers(&proc::process(mount.daemon()).join("task")) {
                place_on(thread, daemon)?;
            }
            place_on(0, reader)?;
            run.compare(
                name,
                &format!("open, read, close of net/netlink {place} / of a pin, {BATCH} times"),
                Some(1.5),
                Plan::new(31, 6),
                [
                    Side::new("iterfs", || batch(meter, &ours)),
                    Side::new("pinned BPF_SEQ_PRINTF", || batch(Meter::default(), &pin)),
                ],
            )?;
        }
        Ok(())
    })
}

/// Has a thread run on one processor, or on any. 0 is this one.
fn place_on(thread: u32, processor: Option<usize>) -> Result<()> {
    let mut set = CpuSet::new();
    match processor {
        Some(processor) => set.set(processor)?,
        None => (0..CpuSet::count()).try_for_each(|processor| set.set(processor))?,
    }
    Ok(sched_setaffinity(Pid::from_raw(thread as i32), &set)?)
}

fn batch(meter: Meter, path: &Path) -> Result<Cost> {
    let mut buffer = vec![0; 64 * 1024];
    meter.measure(|| {
        for _ in 0..BATCH {
            drain(File::open(path)?, &mut buffer)?;
        }
        Ok(())
    })
}
