//! Several readers at once, of a small table and of a large one.

use crate::Mount;
use crate::bench::cost::{Cost, Meter};
use crate::bench::pairs::{Plan, Side};
use crate::bench::peers::{FILES_TEXT, NETLINK_TEXT, Peer};
use crate::bench::reader::{PIECE, drain};
use crate::bench::run::Run;
use crate::fixtures::many_files::ManyFiles;
use crate::fixtures::netns::in_new_net_namespace;
use anyhow::{Result, anyhow};
use std::fs::File;
use std::path::Path;
use std::thread;

pub(super) const ROWS: &[&str] = &[
    "small-2-readers",
    "small-4-readers",
    "small-16-readers",
    "large-2-readers",
    "large-4-readers",
    "large-16-readers",
];

const READERS: [usize; 3] = [2, 4, 16];

/// Opens of a small table in a batch, of all readers together.
const SMALL: usize = 1600;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let (small, large) = ROWS.split_at(READERS.len());
    if run.wants(small) {
        in_new_net_namespace(|| {
            let mount = Mount::new();
            let mut peer = Peer::load(NETLINK_TEXT)?;
            let pin = peer.pin(&run.pins, "netlink-readers")?;
            let ours = mount.path("net/netlink");
            compare(run, small, "net/netlink", |_| SMALL, &mount, &ours, &pin)
        })?;
    }
    if run.wants(large) {
        let _files = ManyFiles::start(100, 1000);
        let mount = Mount::new();
        let mut peer = Peer::load(FILES_TEXT)?;
        let pin = peer.pin(&run.pins, "files-readers")?;
        let ours = mount.path("files");
        let what = "files, 100k rows,";
        compare(run, large, what, |readers| readers, &mount, &ours, &pin)?;
    }
    Ok(())
}

fn compare(
    run: &mut Run,
    rows: &[&str],
    what: &str,
    opens: impl Fn(usize) -> usize,
    mount: &Mount,
    ours: &Path,
    pin: &Path,
) -> Result<()> {
    let meter = Meter::of(mount);
    for (name, readers) in rows.iter().zip(READERS) {
        let opens = opens(readers);
        run.compare(
            name,
            &format!("{readers} readers of {what} {opens} opens together / of a pin"),
            None,
            Plan::new(15, 12),
            [
                Side::new("iterfs", || together(meter, ours, readers, opens)),
                Side::new("pinned BPF_SEQ_PRINTF", || {
                    together(Meter::default(), pin, readers, opens)
                }),
            ],
        )?;
    }
    Ok(())
}

/// Readers that share a number of opens, all at once.
fn together(meter: Meter, path: &Path, readers: usize, opens: usize) -> Result<Cost> {
    meter.measure(|| {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..readers)
                .map(|_| {
                    scope.spawn(|| {
                        let mut buffer = vec![0; PIECE];
                        (0..opens / readers)
                            .try_for_each(|_| drain(File::open(path)?, &mut buffer).map(drop))
                    })
                })
                .collect();
            threads.into_iter().try_for_each(|thread| {
                let read = thread.join();
                read.unwrap_or_else(|_| Err(anyhow!("a reader panicked")))
            })
        })
    })
}
