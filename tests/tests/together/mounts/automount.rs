//! Mounting at the first use, with autofs. A program of the tests plays the other side as
//! automount(8) and systemd do.

use iterfs_tests::fixtures::programs;
use iterfs_tests::mount::automounter;
use iterfs_tests::mount::installed::{Installed, Outcome, finish, gone};
use nix::unistd::{Pid, getpgid, getsid};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// A directory on which a command mounts iterfs at the first access.
struct Automount {
    installed: Installed,
    automounter: Child,
}

impl Automount {
    fn new(command: &[&str]) -> Automount {
        let installed = Installed::new();
        let automounter = programs::iterfs().with_file_name("automounter");
        let mut automounter = installed
            .command(automounter)
            .arg(installed.mountpoint())
            .args(command)
            .arg(installed.mountpoint())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let output = automounter.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n");
        Automount {
            installed,
            automounter,
        }
    }

    fn list(&self) -> Outcome {
        let mut command = self.installed.command("timeout");
        finish(command.args(["60", "ls"]).arg(self.installed.mountpoint()))
    }
}

impl Drop for Automount {
    fn drop(&mut self) {
        // From then on autofs lets everyone through.
        let _ = self.automounter.kill();
        let _ = self.automounter.wait();
    }
}

fn is_possible() -> bool {
    let possible = automounter::is_in_kernel();
    if !possible {
        eprintln!("this kernel has no autofs, so nothing can be mounted by it");
    }
    possible
}

#[test]
fn an_automounter_mounts_at_the_first_use() {
    if !is_possible() {
        return;
    }
    let iterfs = programs::iterfs();
    let iterfs = iterfs.to_str().unwrap();
    for command in [
        &["/sbin/mount.fuse.iterfs", "iterfs", "-o", "rw,noexec"][..],
        &["mount", "-t", "fuse.iterfs", "iterfs"],
        &[iterfs, "mount"],
    ] {
        let automount = Automount::new(command);
        let installed = &automount.installed;
        let directory = installed.mountpoint();
        // After an unmount, the next access mounts it again.
        for _ in 0..2 {
            assert_eq!(installed.mounted_on(&directory), ["autofs"]);
            let listed = automount.list();
            assert_eq!(listed.code, Some(0), "{command:?}: {listed:?}");
            assert!(listed.output.contains("tasks\n"), "{listed:?}");
            assert_eq!(installed.mounted_on(&directory), ["autofs", "fuse.iterfs"]);
            // The daemon has left the automounter's session.
            let daemon = installed.daemon();
            assert_eq!(getsid(Some(daemon)).unwrap(), daemon);
            assert_eq!(getpgid(Some(daemon)).unwrap(), daemon);
            assert_ne!(daemon, Pid::from_raw(automount.automounter.id() as i32));
            let unmounted = installed.run("umount", &[&directory]);
            assert_eq!(unmounted.code, Some(0), "{unmounted:?}");
            assert!(gone(daemon));
        }
    }
}

#[test]
fn a_dead_mount_is_not_taken_for_one_that_is_there() {
    if !is_possible() {
        return;
    }
    let automount = Automount::new(&["/sbin/mount.fuse.iterfs", "iterfs"]);
    let installed = &automount.installed;
    assert_eq!(automount.list().code, Some(0));
    let daemon = installed.daemon();
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(gone(daemon));
    // For autofs the directory is still mounted, so it does not mount again.
    let listed = automount.list();
    assert_eq!(listed.code, Some(2), "{listed:?}");
    // It does so once the dead mount is unmounted, or mounted over.
    let mounted = installed.iterfs_mount(&[]);
    assert_eq!(mounted.code, Some(0), "{mounted:?}");
    assert_eq!(automount.list().code, Some(0));
}

#[test]
fn a_mount_that_fails_keeps_nobody_waiting() {
    if !is_possible() {
        return;
    }
    let automount = Automount::new(&["/sbin/mount.fuse.iterfs", "iterfs", "-o", "nonsense"]);
    let listed = automount.list();
    assert_eq!(listed.code, Some(2), "{listed:?}");
    let directory = automount.installed.mountpoint();
    assert_eq!(automount.installed.mounted_on(&directory), ["autofs"]);
    assert_eq!(automount.installed.daemons(&directory), []);
}
