//! 18,800 TCP sockets over loopback, in a net namespace of their own.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::reader::{cat, command};
use crate::bench::run::Run;
use crate::fixtures::netns::{self, in_new_net_namespace};
use crate::fixtures::workload::Workload;
use anyhow::Result;

pub(super) const ROWS: &[&str] = &["tcp-ss", "sockets-ss"];

/// Processes, and connections in each, of which it has both ends.
const PROCESSES: usize = 4;
const CONNECTIONS: &str = "2350";

/// Has the sockets made in this thread's namespace.
pub(super) fn held() -> Vec<Workload> {
    netns::run("ip link set lo up");
    (0..PROCESSES)
        .map(|_| Workload::start("connected", &[CONNECTIONS.as_ref()]))
        .collect()
}

pub(super) fn measure(run: &mut Run) -> Result<()> {
    in_new_net_namespace(|| {
        let _held = held();
        let mount = Mount::new();
        let meter = Meter::of(&mount);
        let tcp = mount.path("net/tcp");
        run.compare(
            "tcp-ss",
            "net/tcp, 18.8k sockets: cat / ss -tan",
            Some(1.0 / 3.0),
            Plan::new(21, 8),
            [
                Side::new("iterfs", || cat(meter, &tcp)),
                Side::new("ss -tan", || command(Meter::default(), "ss", &["-tan"])),
            ],
        )?;
        let sockets = mount.path("net/sockets");
        run.compare(
            "sockets-ss",
            "net/sockets, 18.8k sockets: cat / ss -tanp",
            Some(1.0 / 10.0),
            Plan::new(15, 10),
            [
                Side::new("iterfs", || cat(meter, &sockets)),
                Side::new("ss -tanp", || command(Meter::default(), "ss", &["-tanp"])),
            ],
        )
    })
}
