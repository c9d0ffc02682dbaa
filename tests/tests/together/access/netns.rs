//! `netns/` has every net namespace of the host, and no reader ever sees the wrong one.

use iterfs_tests::fixtures::netns::{Named, in_new_net_namespace};
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::{Mount, Row, oracles::proc};
use nix::sched::{CloneFlags, setns, unshare};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

fn own_namespace() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

fn inode(namespace: &File) -> u32 {
    namespace.metadata().unwrap().ino() as u32
}

/// The namespaces of all processes, and those with names.
fn oracle() -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for pid in proc::numbers(Path::new("/proc")) {
        for tid in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
        {
            let Ok(tid) = tid else { continue };
            all.extend(fs::metadata(tid.path().join("ns/net")).map(|found| found.ino() as u32));
        }
    }
    for name in fs::read_dir("/run/netns").into_iter().flatten() {
        let found = fs::metadata(name.unwrap().path()).unwrap();
        // `ip netns` is just creating or removing the namespace of this name.
        if found.dev() == fs::metadata("/proc/self/ns/net").unwrap().dev() {
            all.insert(found.ino() as u32);
        }
    }
    all
}

fn listed(mount: &Mount) -> BTreeSet<u32> {
    let entries = fs::read_dir(mount.path("netns"))
        .unwrap()
        .map(Result::unwrap);
    let directories = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    directories
        .map(|entry| entry.file_name().to_str().unwrap().parse().unwrap())
        .collect()
}

fn ports(text: &str) -> BTreeSet<u64> {
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.map(|row: Row| row["local_port"].as_u64().unwrap())
        .collect()
}

#[test]
fn every_namespace_of_the_host_is_there() {
    let mount = Mount::new();
    let named = Named::new("listed");
    in_new_net_namespace(|| {
        let held = inode(&own_namespace());
        let (expected, found, _) = steadily(oracle, || listed(&mount), PartialEq::eq);
        assert_eq!(found, expected);
        assert!(found.contains(&held));
        assert!(found.contains(&named.inode()));
    });
}

#[test]
fn names_are_links_to_numbers() {
    let mount = Mount::new();
    let path = mount.path(&format!("netns/{}", Named::called("linked")));
    assert!(!path.exists());
    let named = Named::new("linked");
    let target = fs::read_link(&path).unwrap();
    assert_eq!(target.to_str().unwrap(), named.inode().to_string());
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_symlink());
    let by_name = fs::read_to_string(path.join("netlink")).unwrap();
    let by_number = mount.text(&format!("netns/{}/netlink", named.inode()));
    assert!(
        by_name.lines().count() > 1,
        "a namespace has sockets of the kernel's"
    );
    assert_eq!(by_name, by_number);
    let number = mount.path(&format!("netns/{}", named.inode()));
    drop(named);
    // No process is in it, so it ends with its name.
    assert!(!path.exists());
    assert_eq!(
        fs::metadata(&path).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    iterfs_tests::wait::wait_until("its number goes", || !number.exists());
}

#[test]
fn the_tables_are_those_seen_from_inside() {
    let mount = Mount::new();
    in_new_net_namespace(|| {
        let _sockets = [
            UdpSocket::bind("0.0.0.0:7001").unwrap(),
            UdpSocket::bind("[::]:7002").unwrap(),
        ];
        let _listener = TcpListener::bind("0.0.0.0:7003").unwrap();
        let mut workload = Workload::start("netlink", &[]);
        let number = inode(&own_namespace());
        let names = fs::read_dir(mount.path("net")).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let there = fs::read_dir(mount.path(&format!("netns/{number}"))).unwrap();
        let mut there: Vec<_> = there.map(|entry| entry.unwrap().file_name()).collect();
        there.sort();
        assert_eq!(names, there);
        for name in names {
            let name = name.to_str().unwrap();
            let inside = mount.path("net").join(name);
            let from_host = mount.path(&format!("netns/{number}/{name}"));
            let read = |path: &Path| fs::read_to_string(path).unwrap();
            // A reader inside, and this thread, which the host's namespace never sees.
            let (before, outside, _) =
                steadily(|| read(&inside), || read(&from_host), PartialEq::eq);
            assert_eq!(before, outside, "{name}");
            assert_eq!(workload.read(&inside), outside, "{name}");
        }
        let udp = mount.text(&format!("netns/{number}/udp.jsonl"));
        assert_eq!(ports(&udp), BTreeSet::from([7001, 7002]));
    });
}

#[test]
fn the_number_of_an_ended_namespace_is_not_there() {
    let mount = Mount::new();
    let number = in_new_net_namespace(|| {
        let number = inode(&own_namespace());
        mount.read(&format!("netns/{number}/tcp"));
        number
    });
    // The thread by which it was last found is gone, or in another namespace.
    let path = mount.path(&format!("netns/{number}"));
    iterfs_tests::wait::wait_until("its number goes", || !path.exists());
    for name in ["1", "0", "4294967295", "host", "1/tcp"] {
        let path = mount.path("netns").join(name);
        let error = fs::metadata(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{name}");
    }
}

/// A remembered thread that has moved to another namespace no longer leads to the first.
#[test]
fn a_namespace_is_found_again_by_another_way() {
    let mount = Mount::new();
    let home = own_namespace();
    let (leave, left) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            let socket = UdpSocket::bind("0.0.0.0:7010").unwrap();
            tell.send((own_namespace(), socket)).unwrap();
            let _ = left.recv();
            setns(&home, CloneFlags::CLONE_NEWNET).unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            tell.send((own_namespace(), socket)).unwrap();
            let _ = left.recv();
        });
        let (namespace, _socket) = told.recv().unwrap();
        let path = format!("netns/{}/udp.jsonl", inode(&namespace));
        let expected = BTreeSet::from([7010]);
        assert_eq!(ports(&mount.text(&path)), expected);
        let _stay = stay_in(&namespace);
        leave.send(()).unwrap();
        let _home = told.recv().unwrap();
        assert_eq!(ports(&mount.text(&path)), expected);
        drop(leave);
    });
}

/// A thread that goes into a namespace and stays until dropped.
fn stay_in(namespace: &File) -> Stay {
    let (end, ended) = mpsc::channel::<()>();
    let (ready, is_ready) = mpsc::channel();
    let namespace = namespace.try_clone().unwrap();
    let thread = thread::spawn(move || {
        setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
        ready.send(()).unwrap();
        let _ = ended.recv();
    });
    is_ready.recv().unwrap();
    Stay(Some(end), Some(thread))
}

struct Stay(Option<mpsc::Sender<()>>, Option<thread::JoinHandle<()>>);

impl Drop for Stay {
    fn drop(&mut self) {
        drop(self.0.take());
        if let Some(thread) = self.1.take() {
            let _ = thread.join();
        }
    }
}

/// Net namespaces with one socket each, whose port identifies the namespace.
struct Marked(Vec<(File, UdpSocket)>);

const FIRST_PORT: u16 = 10_000;

impl Marked {
    fn new(count: u16) -> Marked {
        let one = |index| {
            in_new_net_namespace(|| {
                let socket = UdpSocket::bind(("0.0.0.0", FIRST_PORT + index)).unwrap();
                (own_namespace(), socket)
            })
        };
        Marked((0..count).map(one).collect())
    }
}

/// The threads of a process that are not in this test's net namespace.
fn strays(pid: u32) -> Vec<u32> {
    let home = proc::namespace(Path::new("/proc/self"), "net");
    let threads = proc::numbers(&proc::process(pid).join("task"));
    threads
        .into_iter()
        .filter(|tid| {
            let there = proc::namespace(&proc::thread(pid, *tid), "net");
            // A thread that has ended meanwhile is in no namespace.
            there.is_some() && there != home
        })
        .collect()
}

#[test]
fn readers_racing_through_namespaces_never_see_a_row_of_another() {
    const NAMESPACES: u16 = 100;
    const READERS: usize = 32;
    const OPENS: usize = 100_000;
    let mount = Mount::new();
    let marked = Marked::new(NAMESPACES);
    // A socket of the host, which readers in the namespaces must not see.
    let host = UdpSocket::bind("127.0.0.1:0").unwrap();
    let host_port = u64::from(host.local_addr().unwrap().port());
    let left = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (marked, mount, left, done) = (&marked, &mount, &left, &done);
            scope.spawn(move || {
                let path = mount.path("net/udp.jsonl");
                let mut turn = reader * 7;
                while left.fetch_add(1, Ordering::Relaxed) < OPENS {
                    turn += 31;
                    let index = turn % usize::from(NAMESPACES);
                    setns(&marked.0[index].0, CloneFlags::CLONE_NEWNET).unwrap();
                    let text = fs::read_to_string(&path).unwrap_or_else(|error| error.to_string());
                    let own = u64::from(FIRST_PORT) + index as u64;
                    let is_own = text.contains(&format!("\"local_port\":{own},"));
                    if text.lines().count() != 1 || !is_own {
                        // Stop here: the other threads wait for the end.
                        left.store(OPENS, Ordering::Relaxed);
                        unreachable!("in the namespace of {own}: {text}");
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Meanwhile the host reads its own tables.
        scope.spawn(|| {
            while left.load(Ordering::Relaxed) < OPENS {
                let found = ports(&mount.text("net/udp.jsonl"));
                assert!(found.contains(&host_port));
                let foreign = u64::from(FIRST_PORT)..u64::from(FIRST_PORT + NAMESPACES);
                assert!(
                    !found.iter().any(|port| foreign.contains(port)),
                    "{found:?}"
                );
            }
        });
    });
    assert_eq!(done.load(Ordering::Relaxed), OPENS);
    assert!(strays(mount.daemon()).is_empty());
}

#[test]
fn the_host_reads_each_namespace_by_its_number() {
    const NAMESPACES: u16 = 40;
    let mount = Mount::new();
    let marked = Marked::new(NAMESPACES);
    let stays: Vec<_> = marked.0.iter().map(|(file, _)| stay_in(file)).collect();
    thread::scope(|scope| {
        for reader in 0..8 {
            let (marked, mount) = (&marked, &mount);
            scope.spawn(move || {
                for turn in 0..200 {
                    let index = (reader * 5 + turn * 3) % usize::from(NAMESPACES);
                    let number = inode(&marked.0[index].0);
                    let text = mount.text(&format!("netns/{number}/udp.jsonl"));
                    let own = u64::from(FIRST_PORT) + index as u64;
                    assert_eq!(ports(&text), BTreeSet::from([own]));
                }
            });
        }
    });
    assert!(strays(mount.daemon()).is_empty());
    drop(stays);
}
