//! Five thousand threads.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::reader::{cat, command};
use crate::bench::run::Run;
use anyhow::Result;
use std::sync::Barrier;
use std::thread;

pub(super) const ROWS: &[&str] = &["tasks-ps"];

const THREADS: usize = 5000;
/// They do nothing.
const STACK: usize = 64 * 1024;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let mount = Mount::new();
    let meter = Meter::of(&mount);
    let path = mount.path("tasks");
    let [here, end] = [THREADS + 1, THREADS + 1].map(Barrier::new);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let sleeper = thread::Builder::new().stack_size(STACK);
            sleeper
                .spawn_scoped(scope, || {
                    here.wait();
                    end.wait();
                })
                .expect("a thread starts");
        }
        here.wait();
        let outcome = run.compare(
            "tasks-ps",
            "tasks, 5000 threads: cat / ps -eLf",
            None,
            Plan::new(11, 8),
            [
                Side::new("iterfs", || cat(meter, &path)),
                Side::new("ps -eLf", || command(Meter::default(), "ps", &["-eLf"])),
            ],
        );
        end.wait();
        outcome
    })
}
