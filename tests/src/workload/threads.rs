//! A process with threads of every sort.

use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, sched_setaffinity, unshare};
use nix::unistd::{Pid, gettid};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long each thread that ends has run before.
pub const BURNT: Duration = Duration::from_millis(60);

/// Threads that end before the process is ready.
pub const ENDED: u32 = 3;

/// Names that a line of text must escape, beside the plain ones.
pub const ODD_NAME: &str = "a b\t(\\) -\n";

/// The name of the thread that never rests.
pub const BURNER: &str = "burner";

/// Starts the threads; the facts are their ids by their names.
///
/// # Errors
/// If the kernel refuses one.
pub fn start() -> io::Result<Value> {
    for number in 0..ENDED {
        let ended = thread::Builder::new().name(format!("ended-{number}"));
        let ended = ended.spawn(|| burn(Some(BURNT)))?;
        ended.join().expect("a thread that ends by itself")?;
    }
    let mut facts = json!({});
    let mut add = |name: &str, tid: u32| facts[name] = tid.into();
    add("sleeper", asleep("sleeper", || Ok(()))?);
    add("odd", asleep(ODD_NAME, || Ok(()))?);
    for name in ["batch", "idle", "fifo", "rr", "nice"] {
        add(name, asleep(name, || Ok(()))?);
    }
    let apart = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWCGROUP;
    add("apart", asleep("apart", move || Ok(unshare(apart)?))?);
    add(BURNER, started(BURNER, on_one_processor, || burn(None))?);
    Ok(facts)
}

/// Starts a thread that does `first` and then sleeps for good.
pub(super) fn asleep(
    name: &str,
    first: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<u32> {
    started(name, first, || {
        loop {
            thread::park();
        }
    })
}

/// Starts a thread; returns its id when it has done `first`.
fn started(
    name: &str,
    first: impl FnOnce() -> io::Result<()> + Send + 'static,
    then: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<u32> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let done = first().map(|()| gettid().as_raw() as u32);
            sender.send(done).expect("the main thread waits");
            then()
        })?;
    receiver.recv().expect("a thread that reports")
}

/// Keeps this thread where it may run first, so that its processor is known.
fn on_one_processor() -> io::Result<()> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this)?;
    let mut one = CpuSet::new();
    let first = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu) == Ok(true));
    one.set(first.expect("a processor to run on"))?;
    Ok(sched_setaffinity(this, &one)?)
}

/// Spends processor time in user mode and in the kernel.
fn burn(long: Option<Duration>) -> io::Result<()> {
    let start = Instant::now();
    let mut zeros = File::open("/dev/zero")?;
    let mut buffer = vec![0; 1 << 20];
    while long.is_none_or(|long| start.elapsed() < long) {
        zeros.read_exact(&mut buffer)?;
        let sum: u64 = buffer.iter().map(|&byte| u64::from(byte)).sum();
        std::hint::black_box(sum);
    }
    Ok(())
}
