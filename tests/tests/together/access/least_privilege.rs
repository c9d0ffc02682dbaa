//! The daemon and each of its threads have no more privileges than they need.

use iterfs_tests::Mount;
use iterfs_tests::mount::installed::Installed;
use std::fs;

/// Numbers of capabilities (linux/capability.h).
const DAC_READ_SEARCH: u32 = 2;
const SYS_CHROOT: u32 = 18;
const SYS_PTRACE: u32 = 19;
const SYS_ADMIN: u32 = 21;
const SYSLOG: u32 = 34;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

const NEEDED: [u32; 6] = [DAC_READ_SEARCH, SYS_PTRACE, SYS_ADMIN, SYSLOG, PERFMON, BPF];

/// The capabilities that docs/SECURITY.md lists.
fn mask(capabilities: &[u32]) -> u64 {
    capabilities.iter().map(|number| 1 << number).sum()
}

/// Looks at every thread of a process.
fn check(process: u32, needed: u64) {
    let mut threads = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let path = thread.unwrap().path();
        let Ok(status) = fs::read_to_string(path.join("status")) else {
            continue; // One that had no more work.
        };
        threads += 1;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_once(":\t").unwrap().1.to_owned()
        };
        let set = |name: &str| u64::from_str_radix(&field(name), 16).unwrap();
        // The test itself may lack some of them.
        let own = fs::read_to_string("/proc/self/status").unwrap();
        let own = own.lines().find(|line| line.starts_with("CapEff")).unwrap();
        let own = u64::from_str_radix(own.split_once(":\t").unwrap().1, 16).unwrap();
        let expected = needed & own;
        for name in ["CapEff", "CapPrm", "CapBnd"] {
            assert_eq!(
                set(name),
                expected,
                "{name} of {}:\n{status}",
                field("Name")
            );
        }
        for name in ["CapInh", "CapAmb"] {
            assert_eq!(set(name), 0, "{name}:\n{status}");
        }
        assert_eq!(field("NoNewPrivs"), "1", "{status}");
    }
    assert!(threads > 1, "{threads}");
}

#[test]
fn every_thread_has_what_it_needs_and_no_more() {
    let mount = Mount::new();
    check(mount.daemon(), mask(&NEEDED));
    // Also start the threads that serve readers.
    mount.read("files");
    mount.read("vmas");
    check(mount.daemon(), mask(&NEEDED));

    let installed = Installed::new();
    let mounted = installed.iterfs_mount(&[]);
    assert_eq!(mounted.code, Some(0), "{mounted:?}");
    check(installed.daemon().as_raw() as u32, mask(&NEEDED));
}

/// A service may start with these capabilities alone, without the right to drop others.
#[test]
fn a_service_with_the_set_of_the_manual_mounts() {
    let manual = include_str!("../../../../docs/SECURITY.md");
    let list = manual.split("`CapabilityBoundingSet=").nth(1).unwrap();
    let list = list.split('`').next().unwrap();
    let added: Vec<_> = list
        .split_whitespace()
        .map(|name| format!("+{}", name.strip_prefix("CAP_").unwrap().to_lowercase()))
        .collect();
    assert_eq!(added.len(), NEEDED.len(), "{added:?}");
    let installed = Installed::new();
    let mut command = installed.command("setpriv");
    command
        .arg(format!("--bounding-set=-all,{}", added.join(",")))
        .arg("--")
        .arg(iterfs_tests::fixtures::programs::iterfs())
        .arg("mount")
        .arg(installed.mountpoint());
    let mounted = iterfs_tests::mount::installed::finish(&mut command);
    assert_eq!(mounted.code, Some(0), "{mounted:?}");
    check(installed.daemon().as_raw() as u32, mask(&NEEDED));
    let tasks = installed.seen(&installed.mountpoint().join("tasks"));
    assert!(fs::read_to_string(tasks).unwrap().lines().count() > 1);
}

/// Entering another mount namespace takes CAP_SYS_CHROOT, at the mount and at its end.
#[test]
fn another_mount_namespace_takes_one_capability_more() {
    let installed = Installed::new();
    let mut command = std::process::Command::new(iterfs_tests::fixtures::programs::iterfs());
    command
        .arg("mount")
        .arg("-N")
        .arg(installed.namespace())
        .arg(installed.mountpoint());
    let mounted = iterfs_tests::mount::installed::finish(&mut command);
    assert_eq!(mounted.code, Some(0), "{mounted:?}");
    let daemon = installed.daemon();
    check(daemon.as_raw() as u32, mask(&NEEDED) | mask(&[SYS_CHROOT]));
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(iterfs_tests::mount::installed::gone(daemon));
    assert_eq!(installed.mounted_on(&installed.mountpoint()), [""; 0]);
}
