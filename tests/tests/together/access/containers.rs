//! The mount inside containers made by hand: new namespaces and a bind mount.

use iterfs_tests::fixtures::container::{CONTAINER, Container, OF_HOST, USER};
use iterfs_tests::fixtures::inherited::with_inherited;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::oracles::columns::select;
use iterfs_tests::wait::wait_until;
use iterfs_tests::{Mount, oracles::proc};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// Compares the tables that a container sees with its own /proc.
fn check_own_view(container: &mut Container, listener: &TcpListener) {
    let names = container.inside.list(Path::new("/proc"));
    let own: BTreeSet<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    for table in ["tasks", "processes", "files", "vmas"] {
        let rows = container.rows(table);
        let pids: BTreeSet<u64> = rows
            .iter()
            .map(|row| row["pid"].as_u64().unwrap())
            .collect();
        assert_eq!(pids, own, "{table}");
    }
    // The text form, as by cat.
    let tasks = container.path("tasks");
    assert_eq!(
        container.inside.read(&tasks).lines().count(),
        1 + container.rows("tasks").len()
    );
    let ports: Vec<u64> = container
        .rows("net/tcp")
        .iter()
        .map(|row| row["local_port"].as_u64().unwrap())
        .collect();
    let port = u64::from(listener.local_addr().unwrap().port());
    assert_eq!(ports, [port]);
    let proc = container.inside.read(Path::new("/proc/net/tcp"));
    assert_eq!(proc.lines().count(), 2, "{proc}");
    assert!(proc.contains(&format!("00000000:{port:04X}")), "{proc}");
}

fn check_nothing_of_the_host(container: &mut Container, mount: &Mount) {
    let root = container.place.clone();
    let names = container.inside.list(&root);
    assert!(names.contains(&"tasks".to_owned()), "{names:?}");
    for name in OF_HOST {
        assert!(mount.path(name).exists(), "{name}");
        assert!(!names.contains(&name.to_owned()), "{names:?}");
        for request in ["open", "list"] {
            assert_eq!(
                container.errno(request, name),
                Some(libc::ENOENT),
                "{request} {name}"
            );
        }
    }
    let namespace = proc::namespace(Path::new("/proc/self"), "net").unwrap();
    for path in [
        "bpf/maps",
        "cgroup/cgroup.self",
        &format!("netns/{namespace}/tcp"),
    ] {
        assert!(mount.path(path).exists(), "{path}");
        assert_eq!(container.errno("open", path), Some(libc::ENOENT), "{path}");
    }
    let parent = container.inside.pid();
    assert_eq!(
        container.errno("list", &format!("pid/{parent}")),
        Some(libc::ENOENT)
    );
}

fn root() -> User {
    User::new(0, 0)
}

#[test]
fn a_container_of_root_sees_its_own_namespaces_and_nothing_of_the_host() {
    let mount = Mount::new();
    let mut container = Container::new(&mount, &root(), &CONTAINER, "threads");
    let listener = container.listen();
    check_own_view(&mut container, &listener);
    check_nothing_of_the_host(&mut container, &mount);
}

/// With a user namespace, the container's root is a user whom the mode must permit.
#[test]
fn a_container_of_a_user_sees_its_own_namespaces_and_nothing_of_the_host() {
    let user = User::fresh();
    let options = [&CONTAINER[..], &USER].concat();
    let mount = Mount::with_options("mode=0444");
    let mut container = Container::new(&mount, &user, &options, "threads");
    let listener = container.listen();
    check_own_view(&mut container, &listener);
    check_nothing_of_the_host(&mut container, &mount);

    let closed = Mount::new();
    let mut container = Container::new(&closed, &user, &options, "idle");
    for (request, path) in [
        ("list", ""),
        ("open", "tasks"),
        ("open", "net/tcp"),
        ("open", "ctl"),
    ] {
        assert_eq!(container.errno(request, path), Some(libc::EACCES), "{path}");
    }
    // Being root in its namespace does not make it a member of another group outside.
    let grouped = Mount::with_options("gid=0,mode=0040");
    let mut container = Container::new(&grouped, &user, &options, "idle");
    assert_eq!(container.errno("open", "tasks"), Some(libc::EACCES));
}

#[test]
fn root_of_a_user_namespace_sees_its_own_processes_where_others_is_own() {
    let user = User::fresh();
    let options = [&CONTAINER[..], &USER].concat();
    let mount = Mount::with_options("others=own");
    let mut container = Container::new(&mount, &user, &options, "threads");
    let rows = container.rows("processes");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["pid"], 1);
    assert!(!container.rows("files").is_empty());
    assert_eq!(container.errno("open", "net/tcp"), Some(libc::EACCES));
    for name in OF_HOST {
        assert_eq!(container.errno("open", name), Some(libc::ENOENT), "{name}");
    }
}

/// A process in a user namespace of its own does not count as on the host.
#[test]
fn root_of_a_user_namespace_is_not_on_the_host() {
    let mount = Mount::with_options("mode=0444");
    for user in [root(), User::fresh()] {
        let options = [&USER[..], &["--mount"]].concat();
        let mut container = Container::new(&mount, &user, &options, "idle");
        let names = container.inside.list(&container.place.clone());
        for name in OF_HOST {
            assert!(!names.contains(&name.to_owned()), "{names:?}");
            assert_eq!(container.errno("open", name), Some(libc::ENOENT), "{name}");
        }
        // Its pid namespace is the host's, and so are its tasks.
        let test = Value::from(std::process::id());
        assert_eq!(
            select(&container.rows("processes"), &[("pid", test)]).len(),
            1
        );
    }
}

/// Names that the host has looked up are in the kernel's caches, for containers, too.
#[test]
fn names_that_the_host_looked_up_stay_hidden_in_a_container() {
    let mount = Mount::new();
    let mut container = Container::new(&mount, &root(), &CONTAINER, "idle");
    for _ in 0..20 {
        for name in OF_HOST {
            fs::metadata(mount.path(name)).unwrap();
            assert_eq!(container.errno("open", name), Some(libc::ENOENT), "{name}");
        }
    }
    // Also by a descriptor that was looked up on the host and opened inside.
    let maps = rustix::fs::open(
        mount.path("bpf/maps"),
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
    .unwrap();
    let output = Command::new("unshare")
        .args(["--pid", "--fork", "cat", "/dev/stdin"])
        .stdin(maps)
        .output()
        .unwrap();
    assert!(
        !output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
}

/// A container's process may hold a socket that was made outside.
#[test]
fn sockets_of_another_net_namespace_are_not_in_net() {
    let mount = Mount::new();
    let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = || Container::new(&mount, &root(), &CONTAINER, "netlink");
    let mut container = with_inherited(&[&outside], start);
    let inode = fs::metadata(format!("/proc/self/fd/{}", outside.as_raw_fd())).unwrap();
    let inode = Value::from(inode.ino());
    let own = container.rows("net/sockets");
    assert!(!own.is_empty());
    assert!(select(&own, &[("inode", inode.clone())]).is_empty());
    // The table of one process shows everything that it holds.
    let held = container.rows("pid/1/sockets");
    assert_eq!(select(&held, &[("inode", inode)]).len(), 1);
}

/// The container's bind mount is a mount of its own, and the daemon serves it.
#[test]
fn an_unmount_on_the_host_leaves_the_container_its_mount() {
    let mount = Mount::new();
    let mut container = Container::new(&mount, &root(), &CONTAINER, "idle");
    let unmounted = Command::new("umount")
        .arg(mount.directory())
        .output()
        .unwrap();
    assert!(unmounted.status.success(), "{unmounted:?}");
    assert!(!mount.path("tasks").exists());
    assert!(!container.rows("processes").is_empty());
    assert_eq!(container.errno("open", "ctl"), Some(libc::ENOENT));
    let daemon = Daemon(mount.daemon());
    assert!(daemon.is_running());
    // It ends with the container, of whose mounts the last was the last of all.
    drop(container);
    wait_until("the daemon ends", || !daemon.is_running());
}

/// A signal ends the daemon, and with it the container's view.
#[test]
fn a_signal_ends_the_mount_in_the_container_too() {
    let mount = Mount::new();
    let mut container = Container::new(&mount, &root(), &CONTAINER, "idle");
    assert!(!container.rows("processes").is_empty());
    kill(Pid::from_raw(mount.daemon() as i32), Signal::SIGTERM).unwrap();
    let daemon = Daemon(mount.daemon());
    wait_until("the daemon ends", || !daemon.is_running());
    // Its last threads may still be ending, and then the kernel aborts the request.
    let errno = match container.errno("open", "tasks") {
        Some(libc::ECONNABORTED) => container.errno("open", "tasks"),
        errno => errno,
    };
    assert_eq!(errno, Some(libc::ENOTCONN));
}
