//! Names that ask leave nothing behind in the daemon, however many were looked up.

use iterfs_tests::Mount;
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::wait::wait_until;
use nix::libc;
use rustix::fs::{Mode, OFlags, stat};
use std::io;
use std::os::fd::OwnedFd;

/// The number of names; the environment may ask for more.
const NAMES: usize = 40_000;
const MORE: &str = "ITERFS_NAMES";

/// The names that are held at one time.
const HELD: usize = 500;

/// Growth of the daemon's memory that is not a leak: its allocator keeps that much.
const KEPT_KIB: u64 = 4 * 1024;

#[test]
fn names_that_are_forgotten_leave_nothing() {
    let _turn = crate::turn();
    let names = std::env::var(MORE).map_or(NAMES, |more| more.parse().unwrap());
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    let path = |number: usize| mount.path(&format!("tasks@pid={number},tid={number},+comm.csv"));
    let mut held: Vec<OwnedFd> = Vec::new();
    let mut before = None;
    for number in 0..names {
        // Most names are forgotten at once, and others are held together for a while.
        match number % 4 {
            0 => {
                let flags = OFlags::PATH | OFlags::CLOEXEC;
                held.push(rustix::fs::open(path(number), flags, Mode::empty()).unwrap());
            }
            1 => {
                let wrong = mount.path(&format!("tasks@pid={number}x"));
                let refused: io::Error = stat(&wrong).unwrap_err().into();
                assert_eq!(refused.raw_os_error(), Some(libc::EINVAL));
            }
            _ => {
                stat(path(number)).unwrap();
            }
        }
        if held.len() == HELD {
            held.clear();
        }
        if number == names / 8 {
            before = Some(daemon.status("VmRSS"));
        }
    }
    drop(held);
    let before = before.unwrap();
    let is_as_before = || daemon.status("VmRSS") <= before + KEPT_KIB;
    wait_until("the memory is as it was", is_as_before);
    eprintln!(
        "{names} names: {before} KiB became {}",
        daemon.status("VmRSS")
    );
}
