//! A mount leaves nothing behind.

use iterfs_tests::Mount;
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::wait::wait_until;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::Command;

/// Objects of a kind (`link`, `prog`, `map`) that the kernel has now.
fn bpf_objects(kind: &str) -> Vec<Value> {
    let output = Command::new("bpftool")
        .args(["-j", kind, "list"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ids(objects: &[Value]) -> BTreeSet<u64> {
    let id = |object: &Value| object["id"].as_u64().unwrap();
    objects.iter().map(id).collect()
}

/// Ids of all objects in the kernel that exist because of a daemon. The kernel does not
/// reuse an id for a long time.
#[derive(Debug)]
struct Held {
    links: BTreeSet<u64>,
    programs: BTreeSet<u64>,
    maps: BTreeSet<u64>,
}

impl Held {
    fn by(daemon: Daemon) -> Held {
        let programs: BTreeSet<u64> = daemon.ids("prog_id").into_iter().collect();
        let mut maps: BTreeSet<u64> = daemon.ids("map_id").into_iter().collect();
        // A program's maps live as long as it does, held by descriptor or not.
        for program in bpf_objects("prog") {
            if programs.contains(&program["id"].as_u64().unwrap())
                && let Some(used) = program["map_ids"].as_array()
            {
                maps.extend(used.iter().filter_map(Value::as_u64));
            }
        }
        Held {
            links: daemon.ids("link_id").into_iter().collect(),
            programs,
            maps,
        }
    }

    fn remains(&self) -> bool {
        let remains = |kind, of: &BTreeSet<u64>| !ids(&bpf_objects(kind)).is_disjoint(of);
        remains("link", &self.links)
            || remains("prog", &self.programs)
            || remains("map", &self.maps)
    }
}

/// Opens and reads every file there is, `pid/` with this process alone.
fn use_all(mount: &Mount) {
    let own = format!("pid/{}", std::process::id());
    for directory in ["", "net", "bpf", "summary", &own] {
        for entry in fs::read_dir(mount.path(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = fs::read(&path).unwrap();
                // Only lines of objects have neither header nor brackets.
                let may_be_empty = path.extension().is_some_and(|suffix| suffix == "jsonl");
                assert!(may_be_empty || !bytes.is_empty(), "{path:?}");
            }
        }
    }
}

#[test]
fn the_kernel_has_nothing_of_ours_after_the_end() {
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    use_all(&mount);
    let open = File::open(mount.path("tasks")).unwrap();
    let held = Held::by(daemon);
    assert!(
        held.links.len() > 3 && held.programs.len() > 3 && !held.maps.is_empty(),
        "{held:?}"
    );
    assert!(held.remains());
    drop((open, mount));
    // The kernel frees them some time after the last reader.
    wait_until("all of it is gone", || !held.remains());
}

/// A mount that was not used has loaded nothing.
#[test]
fn nothing_is_loaded_before_the_first_open() {
    let mount = Mount::new();
    let held = Held::by(Daemon(mount.daemon()));
    assert!(held.links.is_empty(), "{held:?}");
    // A lookup and a listing open nothing.
    assert!(fs::read_dir(mount.directory()).unwrap().count() > 3);
    assert!(Held::by(Daemon(mount.daemon())).links.is_empty());
}

#[test]
fn a_daemon_that_is_killed_leaves_nothing_in_the_kernel() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let mount = Mount::new();
    use_all(&mount);
    let held = Held::by(Daemon(mount.daemon()));
    assert!(held.remains(), "{held:?}");
    kill(Pid::from_raw(mount.daemon() as i32), Signal::SIGKILL).unwrap();
    wait_until("all of it is gone", || !held.remains());
    // The mount fails as any FUSE mount without its server, until it is unmounted.
    let error = File::open(mount.path("tasks")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
}

#[test]
fn the_mount_is_gone_after_the_end() {
    let mount = Mount::new();
    let directory = mount.directory().to_owned();
    let open = File::open(mount.path("tasks")).unwrap();
    let mounted = || {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        mounts.contains(directory.to_str().unwrap())
    };
    assert!(mounted());
    drop(mount);
    assert!(!mounted(), "though a file was open");
    assert!(!directory.exists());
    drop(open);
}

#[test]
fn opens_leave_no_descriptors_and_no_threads() {
    const OPENS: usize = 2000;
    let mount = Mount::new();
    let daemon = Daemon(mount.daemon());
    let threads = daemon.status("Threads");
    use_all(&mount);
    wait_until("the first passes are over", || daemon.iterators() == 0);
    wait_until("threads without work end", || {
        daemon.status("Threads") <= threads
    });
    let descriptors = daemon.descriptors().len();

    let own = format!("pid/{}/files", std::process::id());
    for round in 0..OPENS {
        match round % 5 {
            // Read nothing, a part, or all of it.
            0 => drop(File::open(mount.path("files")).unwrap()),
            1 => {
                let mut file = File::open(mount.path("tasks")).unwrap();
                std::io::Read::read_exact(&mut file, &mut [0; 10]).unwrap();
            }
            2 => assert!(!mount.read("net/netlink").is_empty()),
            3 => assert!(!mount.read(&own).is_empty()),
            // An open that fails: no such process.
            _ => assert!(File::open(mount.path("pid/4294967295/files")).is_err()),
        }
    }
    wait_until("all passes are over", || daemon.iterators() == 0);
    wait_until("threads without work end", || {
        daemon.status("Threads") <= threads
    });
    let after = daemon.descriptors();
    assert_eq!(after.len(), descriptors, "{after:?}");
}
