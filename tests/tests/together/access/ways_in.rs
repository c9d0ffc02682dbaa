//! Ways into the tree around a lookup: descriptors that were opened on the host and
//! handed into a container, and file handles that its root makes up.

use iterfs_tests::fixtures::bpf_maps;
use iterfs_tests::fixtures::cgroups::Cgroups;
use iterfs_tests::fixtures::container::{CONTAINER, Container, USER};
use iterfs_tests::fixtures::inherited::with_inherited;
use iterfs_tests::fixtures::netns::Named;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::{Mount, oracles::proc};
use libbpf_rs::{MapHandle, MapType};
use nix::libc;
use rustix::fs::{FileType, Mode, OFlags};
use serde_json::Value;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Descriptors to be inherited.
struct HandedOn {
    descriptors: Vec<(String, OwnedFd)>,
}

impl HandedOn {
    fn open(mount: &Mount, paths: &[String], flags: OFlags) -> HandedOn {
        let open = |path: &String| {
            let opened = rustix::fs::open(mount.path(path), flags, Mode::empty());
            (
                path.clone(),
                opened.unwrap_or_else(|errno| panic!("{path}: {errno}")),
            )
        };
        HandedOn {
            descriptors: paths.iter().map(open).collect(),
        }
    }

    /// Has `start` start a process that inherits them.
    fn to<T>(&self, start: impl FnOnce() -> T) -> T {
        let all: Vec<_> = self.descriptors.iter().map(|(_, one)| one).collect();
        with_inherited(&all, start)
    }
}

/// Objects of the host that a container does not see.
struct OfHost {
    map: MapHandle,
    cgroups: Cgroups,
}

impl OfHost {
    fn new() -> OfHost {
        OfHost {
            map: bpf_maps::plain(MapType::Hash, 4, 4, 1),
            cgroups: Cgroups::new(),
        }
    }
}

/// Files and directories of each kind that only the host's callers have.
fn of_host(host: &OfHost) -> Vec<String> {
    let namespace = proc::namespace(Path::new("/proc/self"), "net").unwrap();
    let cgroup = host.cgroups.name();
    let map = bpf_maps::id(&host.map);
    [
        "bpf".into(),
        "bpf/maps".into(),
        "bpf/map".into(),
        format!("bpf/map/{map}"),
        format!("bpf/map/{map}/elements"),
        "cgroup".into(),
        "cgroup/cgroup.descendants".into(),
        format!("cgroup/{cgroup}"),
        format!("cgroup/{cgroup}/cgroup.self"),
        "kernel".into(),
        "kernel/ksyms".into(),
        "netns".into(),
        format!("netns/{namespace}"),
        format!("netns/{namespace}/tcp.json"),
        "ctl".into(),
        "ctl.json".into(),
        format!("pid/{}", std::process::id()),
        format!("pid/{}/files", std::process::id()),
    ]
    .into()
}

/// The errno of each request that reaches a node by `path`.
fn errnos(process: &mut Workload, path: &Path, kind: FileType) -> Vec<(&'static str, Option<i64>)> {
    let requests: &[&str] = match kind {
        FileType::Directory => &["stat", "statfs", "list"],
        _ => &["stat", "statfs", "open", "read", "truncate"],
    };
    let ask = |request: &&'static str| (*request, process.ask(request, path)["errno"].as_i64());
    requests.iter().map(ask).collect()
}

fn kind(mount: &Mount, path: &str) -> FileType {
    let mode = fs::metadata(mount.path(path)).unwrap().mode();
    FileType::from_raw_mode(mode)
}

/// The errnos that a process gets through descriptors that were opened with O_PATH.
fn by_descriptors(
    mount: &Mount,
    handed_on: &HandedOn,
    process: &mut Workload,
) -> Vec<(String, &'static str, Option<i64>)> {
    let mut met = Vec::new();
    for (path, descriptor) in &handed_on.descriptors {
        let reopened = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
        let errnos = errnos(process, Path::new(&reopened), kind(mount, path));
        met.extend(
            errnos
                .into_iter()
                .map(|(request, errno)| (path.clone(), request, errno)),
        );
    }
    met
}

fn check_all_hidden(met: Vec<(String, &'static str, Option<i64>)>) {
    assert!(!met.is_empty());
    for (path, request, errno) in met {
        assert_eq!(errno, Some(libc::ENOENT.into()), "{request} {path}");
    }
}

#[test]
fn a_path_descriptor_of_the_host_leads_nowhere() {
    let host = OfHost::new();
    let mount = Mount::new();
    let handed_on = HandedOn::open(&mount, &of_host(&host), OFlags::PATH | OFlags::CLOEXEC);
    // The descriptors work on the host, so it is the container that they fail in.
    let mut beside = handed_on.to(|| Workload::start("idle", &[]));
    for (path, request, errno) in by_descriptors(&mount, &handed_on, &mut beside) {
        assert_eq!(errno, None, "{request} {path}");
    }
    let root = User::new(0, 0);
    let mut container = handed_on.to(|| Container::new(&mount, &root, &CONTAINER, "idle"));
    check_all_hidden(by_descriptors(&mount, &handed_on, &mut container.inside));
    // The host's own are not disturbed.
    for (path, request, errno) in by_descriptors(&mount, &handed_on, &mut beside) {
        assert_eq!(errno, None, "{request} {path}");
    }
}

#[test]
fn a_path_descriptor_of_the_host_leads_nowhere_in_a_user_namespace() {
    let host = OfHost::new();
    let mount = Mount::with_options("mode=0444");
    let handed_on = HandedOn::open(&mount, &of_host(&host), OFlags::PATH | OFlags::CLOEXEC);
    let user = User::fresh();
    let options = [&CONTAINER[..], &USER].concat();
    let mut container = handed_on.to(|| Container::new(&mount, &user, &options, "idle"));
    check_all_hidden(by_descriptors(&mount, &handed_on, &mut container.inside));
}

#[test]
fn a_file_handle_that_root_of_a_container_makes_up_leads_nowhere() {
    let host = OfHost::new();
    let mount = Mount::new();
    let paths = of_host(&host);
    // The kernel opens by handle only those inodes that it holds already.
    let held = HandedOn::open(&mount, &paths, OFlags::PATH | OFlags::CLOEXEC);
    let ways = |process: &mut Workload, place: &Path| {
        let mut met = Vec::new();
        for path in &paths {
            let inode = fs::metadata(mount.path(path)).unwrap().ino();
            let request = format!("{inode}:{}", place.display());
            let opened = process.ask("handle", Path::new(&request));
            let opened = opened["ok"]
                .as_str()
                .unwrap_or_else(|| panic!("{path}: {opened}"));
            let errnos = errnos(process, Path::new(opened), kind(&mount, path));
            met.extend(
                errnos
                    .into_iter()
                    .map(|(request, errno)| (path.clone(), request, errno)),
            );
        }
        met
    };
    let mut beside = Workload::start("idle", &[]);
    for (path, request, errno) in ways(&mut beside, mount.directory()) {
        assert_eq!(errno, None, "{request} {path}");
    }
    let root = User::new(0, 0);
    let mut container = Container::new(&mount, &root, &CONTAINER, "idle");
    let place = container.place.clone();
    check_all_hidden(ways(&mut container.inside, &place));
    drop(held);
}

/// A named net namespace is a link, which cannot be reopened through /proc.
#[test]
fn the_target_of_a_link_of_the_host_is_not_told() {
    let named = Named::new("ways-in");
    let mount = Mount::new();
    let path = [format!("netns/{}", named.name())];
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handed_on = HandedOn::open(&mount, &path, flags);
    let number = handed_on.descriptors[0].1.as_raw_fd().to_string();
    let mut beside = handed_on.to(|| Workload::start("idle", &[]));
    let target = beside.ask("target", Path::new(&number));
    assert_eq!(target["ok"], named.inode().to_string(), "{target}");
    let root = User::new(0, 0);
    let mut container = handed_on.to(|| Container::new(&mount, &root, &CONTAINER, "idle"));
    let target = container.inside.ask("target", Path::new(&number));
    assert_eq!(target["errno"], libc::ENOENT, "{target}");
}

/// A directory that was opened on the host lists nothing in a container.
#[test]
fn an_open_directory_of_the_host_lists_nothing_inside() {
    let mount = Mount::new();
    let paths: Vec<String> = ["bpf/map", "cgroup", "kernel", "netns"]
        .map(String::from)
        .into();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handed_on = HandedOn::open(&mount, &paths, flags);
    let mut beside = handed_on.to(|| Workload::start("idle", &[]));
    let root = User::new(0, 0);
    let mut container = handed_on.to(|| Container::new(&mount, &root, &CONTAINER, "idle"));
    for (path, descriptor) in &handed_on.descriptors {
        let number = descriptor.as_raw_fd().to_string();
        let listed = beside.ask("entries", Path::new(&number));
        let names = listed["ok"]
            .as_array()
            .unwrap_or_else(|| panic!("{path}: {listed}"));
        assert!(names.len() > 2, "{path}: {names:?}");
        let listed = container.inside.ask("entries", Path::new(&number));
        assert_eq!(listed["errno"], libc::ENOENT, "{path}: {listed}");
    }
}

/// An open table goes on showing what its opener sees; programs ask for the attributes of
/// what they read.
#[test]
fn an_open_table_of_the_host_is_read_on_inside() {
    let mount = Mount::new();
    let tables = ["kernel/slabs", "bpf/maps"].map(String::from);
    let handed_on = HandedOn::open(&mount, &tables, OFlags::RDONLY | OFlags::CLOEXEC);
    let root = User::new(0, 0);
    let mut container = handed_on.to(|| Container::new(&mount, &root, &CONTAINER, "idle"));
    for (path, descriptor) in &handed_on.descriptors {
        let number = descriptor.as_raw_fd().to_string();
        let read = container.inside.ask("rest", Path::new(&number));
        let Value::String(text) = &read["ok"] else {
            panic!("{path}: {read}");
        };
        assert!(text.lines().count() > 1, "{path}: {text}");
    }
}
