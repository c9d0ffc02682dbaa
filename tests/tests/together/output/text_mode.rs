//! Links in text mode, pinned and read by cat, beside the mount's own text.

use iterfs_mapping::{Place, TABLES};
use iterfs_tests::Mount;
use iterfs_tests::fixtures::connections::Connections;
use iterfs_tests::fixtures::container::IN_NEW_PID_NAMESPACE;
use iterfs_tests::fixtures::dmabuf;
use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::fixtures::text_pins::{TextPins, cat};
use iterfs_tests::fixtures::workload::{Workload, files::ODD_NAMES, threads};
use iterfs_tests::not_here::{needs_table, needs_text_mode};
use iterfs_tests::oracles::lines::{Field, Lines};
use iterfs_tests::oracles::steady::steadily;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, socket};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs::{self, File};
use std::io::Read;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

/// The text of a table on the mount and of its pin, once the mount showed `part` of it
/// twice the same.
fn both<T: PartialEq + Debug>(
    mount: &Mount,
    table: &str,
    pin: &Path,
    part: impl Fn(&[u8]) -> T,
) -> (T, T) {
    let (before, pinned, _) = steadily(
        || part(&mount.read(table)),
        || part(&cat(pin)),
        PartialEq::eq,
    );
    (before, pinned)
}

fn whole(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn numbers(lines: &Lines, column: &str) -> BTreeSet<u64> {
    let number = |field: &Field| {
        let text = String::from_utf8(field.0.clone()?).ok()?;
        text.parse().ok()
    };
    lines
        .column(column)
        .into_iter()
        .filter_map(number)
        .collect()
}

#[test]
fn every_table_begins_with_its_header() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let _buffer = dmabuf::buffer();
    let pins = TextPins::new();
    for table in TABLES {
        let directories = table.places.iter().filter_map(|place| match place {
            Place::Root => Some(""),
            Place::Net => Some("net/"),
            Place::Bpf => Some("bpf/"),
            Place::Kernel => Some("kernel/"),
            Place::Process | Place::Map | Place::Cgroup | Place::Summary => None,
        });
        for directory in directories {
            let path = format!("{directory}{}", table.name);
            if !needs_table(&mount, &path) {
                continue;
            }
            let (text, pinned) = (mount.read(&path), pins.text(&path));
            // The kernel does not call the program where there is no buffer.
            if path == "kernel/dmabufs" && pinned.is_empty() {
                assert_eq!(Lines::of(&text).rows.len(), 0);
                continue;
            }
            let header = |text: &[u8]| whole(text).lines().next().map(str::to_owned);
            assert_eq!(header(&pinned), header(&text), "{path}");
            assert_eq!(Lines::of(&pinned).header, Lines::of(&text).header);
        }
    }
}

#[test]
fn sockets_and_routes_are_printed_as_the_mount_shows_them() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let pins = TextPins::new();
    let [tcp, udp, unix, netlink, ipv6_route] = ["tcp", "udp", "unix", "netlink", "ipv6_route"]
        .map(|name| pins.pin(&format!("net/{name}")));

    in_new_net_namespace(|| {
        // The pin has only a header, or objects of the kernel's own.
        for (table, pin) in [("udp", &udp), ("tcp", &tcp), ("netlink", &netlink)] {
            let (own, pinned) = both(&mount, &format!("net/{table}"), pin, whole);
            assert_eq!(pinned, own);
        }
        let _connections = Connections::open().expect("connections");
        let _datagrams: Vec<_> = ["127.0.0.1:0", "[::1]:0", "[::]:0", "[::ffff:127.0.0.1]:0"]
            .map(|host| UdpSocket::bind(host).expect(host))
            .into();
        let _netlink = Workload::start("netlink", &[]);
        let names: [&[u8]; 5] = [
            b"plain",
            b"a b\nc\\d\te",
            b"in\0the\0middle\0",
            b"-",
            b"\x7f\xc3\xa9",
        ];
        let _unix = names.map(|name| {
            let bound = socket(AddressFamily::UNIX, SocketType::DGRAM, None).expect("a socket");
            let address = SocketAddrUnix::new_abstract_name(name).expect("a name");
            bind(&bound, &address).expect("a new name");
            bound
        });

        // Leave out clocks.
        let still = |text: &[u8]| {
            Lines::of(text).but(&[
                "expires",
                "retransmits",
                "timer",
                "rttvar",
                "srtt",
                "cwnd",
                "ssthresh",
                "retransmitted",
            ])
        };
        let (own, pinned) = both(&mount, "net/tcp", &tcp, still);
        assert!(own.rows.len() > 40);
        assert_eq!(pinned, own);
        for (table, pin) in [("udp", &udp), ("unix", &unix), ("netlink", &netlink)] {
            let (own, pinned) = both(&mount, &format!("net/{table}"), pin, whole);
            assert!(own.lines().count() > 4, "{own}");
            assert_eq!(pinned, own);
        }
        assert!(whole(&cat(&unix)).contains(r" @a\040b\012c\134d\011e"));
        assert!(whole(&cat(&unix)).contains(r" @in\000the\000middle\000"));
        assert!(whole(&cat(&udp)).contains(" ::ffff:127.0.0.1 "));

        run("ip link add left type veth peer name right");
        run("ip link set left up");
        run("ip -6 addr add 2001:db8:1::1/64 dev left nodad");
        run("ip -6 route add 2001:db8:a::/48 via 2001:db8:1::2 metric 7");
        run("ip -6 route add 2001:db8:e::/48 from 2001:db8:1::/64 via 2001:db8:1::2");
        for address in [
            "1::",
            "::2",
            "::1:0:0:1",
            "1:0:0:1::1",
            "1:0:2:0:3:0:4:0",
            "1:0:0:2:0:0:0:3",
            "1:0:0:2:3:0:0:4",
            "0:0:1::",
            "0:1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:0",
            "1:2:3:4:5:6::",
            "64:ff9b::102:304",
            "::ffff:0:102:304",
            "::fffe:102:304",
            "::102:304",
            "abcd:ef01:2345:6789:abcd:ef01:2345:6789",
        ] {
            run(&format!("ip -6 route add blackhole {address}/128"));
        }
        let (own, pinned) = both(&mount, "net/ipv6_route", &ipv6_route, whole);
        assert!(own.lines().count() > 16, "{own}");
        assert_eq!(pinned, own);
    });
}

#[test]
fn files_of_every_type_and_name_are_printed_as_the_mount_shows_them() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let pins = TextPins::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    let pid = workload.pid();
    let _ = (File::open("/dev/null"), mount.read("files"));

    let files = pins.pin("files");
    let of_it = |text: &[u8]| Lines::of(text).with("pid", pid);
    let (own, pinned) = both(&mount, "files", &files, of_it);
    assert!(own.rows.len() > 40);
    assert_eq!(pinned, own);
    for name in ODD_NAMES {
        let ends = |field: &&Field| field.0.as_ref().is_some_and(|path| path.ends_with(name));
        assert_eq!(pinned.column("path").into_iter().filter(ends).count(), 1);
    }

    // Narrowed to the process the lines are the same, to the byte where they are ASCII.
    let alone = pins.pin(&format!("pid/{pid}/files"));
    let (own, pinned) = both(&mount, &format!("pid/{pid}/files"), &alone, |text| {
        text.to_vec()
    });
    assert_eq!(Lines::of(&pinned), Lines::of(&own));
    let ascii = |text: &[u8]| -> Vec<String> {
        let lines = text
            .split(|&byte| byte == b'\n')
            .filter(|line| line.is_ascii());
        let lines = lines.map(whole).filter(|line| !line.contains(r"\3"));
        lines.collect()
    };
    assert_eq!(ascii(&pinned), ascii(&own));

    for table in ["vmas", "sockets", "tasks"] {
        let path = format!("pid/{pid}/{table}");
        let (own, pinned) = both(&mount, &path, &pins.pin(&path), whole);
        assert!(own.lines().count() > 1);
        assert_eq!(pinned, own, "{path}");
    }
    let missing = pins.text("pid/4194304/files");
    assert_eq!(Lines::of(&missing).rows.len(), 0);
}

#[test]
fn tasks_and_processes_are_printed_as_the_mount_shows_them() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let pins = TextPins::new();
    let workload = Workload::start("threads", &[]);
    let idle = Workload::start("idle", &[]);
    for process in [workload.pid(), idle.pid()] {
        run(&format!("renice -n -7 -p {process}"));
    }

    let tasks = pins.pin("tasks");
    let burner = Field(Some(threads::BURNER.into()));
    let threads = |text: &[u8]| {
        let mut lines = Lines::of(text).with("pid", workload.pid());
        lines.rows.retain(|row| row.last() != Some(&burner));
        lines
    };
    let (own, pinned) = both(&mount, "tasks", &tasks, threads);
    assert_eq!(own.rows.len(), workload.facts().len() - 1);
    assert_eq!(pinned, own);
    assert!(pinned.column("nice").contains(&&Field(Some(b"-7".into()))));
    let odd = Field(Some(threads::ODD_NAME.as_bytes().into()));
    assert!(pinned.column("comm").contains(&&odd));

    // A process, and a kernel thread, in which many columns are absent.
    let processes = pins.pin("processes");
    for pid in [idle.pid(), 2] {
        let of_it = |text: &[u8]| Lines::of(text).with("pid", pid);
        let (own, pinned) = both(&mount, "processes", &processes, of_it);
        assert_eq!(own.rows.len(), 1);
        assert_eq!(pinned, own);
    }
    assert_eq!(
        Lines::of(&cat(&processes)).with("pid", 2).column("exe"),
        [&Field(None)]
    );
}

#[test]
fn tables_of_the_host_are_printed_as_the_mount_shows_them() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let pins = TextPins::new();
    let buffer = dmabuf::buffer();
    if buffer.is_some() && needs_table(&mount, "kernel/dmabufs") {
        let pin = pins.pin("kernel/dmabufs");
        let (own, pinned) = both(&mount, "kernel/dmabufs", &pin, whole);
        assert_eq!(pinned, own);
    }
    for table in [
        "bpf/maps",
        "bpf/progs",
        "bpf/links",
        "kernel/slabs",
        "kernel/ksyms",
    ] {
        if needs_table(&mount, table) {
            mount.read(table);
        }
    }
    // Objects of others come and go; the daemon's stay.
    let daemon = iterfs_tests::mount::daemon::Daemon(mount.daemon());
    for (table, kind) in [("maps", "map_id"), ("links", "link_id")] {
        let path = format!("bpf/{table}");
        let pin = pins.pin(&path);
        let ids = daemon.ids(kind);
        assert!(!ids.is_empty());
        for id in ids {
            let (own, pinned) = both(&mount, &path, &pin, |text| Lines::of(text).with("id", id));
            assert_eq!(own.rows.len(), 1);
            assert_eq!(pinned, own);
        }
    }
    let pin = pins.pin("bpf/progs");
    for program in daemon.ids("prog_id") {
        let of_it = |text: &[u8]| Lines::of(text).with("id", program);
        let (own, pinned) = both(&mount, "bpf/progs", &pin, of_it);
        assert_eq!(own.rows.len(), 1);
        assert_eq!(pinned, own);
    }
    if needs_table(&mount, "kernel/slabs") {
        let pin = pins.pin("kernel/slabs");
        let moving = ["slabs", "objects", "memory", "partial"];
        let still = |text: &[u8]| Lines::of(text).but(&moving);
        let (own, pinned) = both(&mount, "kernel/slabs", &pin, still);
        assert_eq!(pinned, own);
    }

    let pin = pins.pin("kernel/ksyms");
    let built_in = |text: &[u8]| {
        let mut lines = Lines::of(text);
        lines.rows.retain(|row| row[2] == Field(None));
        lines
    };
    let (own, pinned) = both(&mount, "kernel/ksyms", &pin, built_in);
    assert!(own.rows.len() > 10_000);
    assert!(pinned == own, "the kernel's own symbols stay");
}

#[test]
fn readers_at_the_same_time_read_each_a_whole_table() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let pins = TextPins::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    let of_it = |text: &[u8]| Lines::of(text).with("pid", workload.pid());
    let tables = ["files", "vmas"];
    let paths = tables.map(|table| pins.pin(table));
    let expected = tables.map(|table| of_it(&mount.read(table)));

    // Several processes read each pin at once.
    let cats: Vec<_> = (0..20)
        .map(|number| {
            let mut command = Command::new("cat");
            command.arg(&paths[number % 2]).stdout(Stdio::piped());
            command.spawn().expect("cat")
        })
        .collect();
    let outputs = cats
        .into_iter()
        .map(|cat| cat.wait_with_output().expect("its end"));
    for (number, output) in outputs.enumerate() {
        assert!(output.status.success());
        assert_eq!(of_it(&output.stdout), expected[number % 2]);
    }

    // One thread reads both, in turns.
    let mut open = paths
        .each_ref()
        .map(|path| File::open(path).expect("a pin"));
    let mut texts = [Vec::new(), Vec::new()];
    let mut buffer = [0; 1000];
    let mut ended = [false; 2];
    while ended != [true; 2] {
        for which in [0, 1] {
            let read = open[which].read(&mut buffer).expect("a pin's bytes");
            texts[which].extend_from_slice(&buffer[..read]);
            ended[which] = read == 0;
        }
    }
    assert_eq!(texts.map(|text| of_it(&text)), expected);
}

#[test]
fn a_killed_reader_leaves_nothing_that_harms() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let pins = TextPins::new();
    let workload = Workload::start("idle", &[]);
    let pin = pins.pin("kernel/ksyms");
    let vmas = pins.pin("vmas");
    // Start more readers than the map has entries for, and kill each in the middle of its output.
    for number in 0..300 {
        let mut command = Command::new("cat");
        command
            .arg([&pin, &vmas][number % 2])
            .stdout(Stdio::piped());
        let mut cat = command.spawn().expect("cat");
        let mut output = cat.stdout.take().expect("a pipe");
        output.read_exact(&mut [0; 100]).expect("the first bytes");
        cat.kill().expect("a running cat");
        cat.wait().expect("its end");
    }
    let of_it = |text: &[u8]| Lines::of(text).with("pid", workload.pid());
    let (own, pinned) = both(&mount, "vmas", &vmas, of_it);
    assert!(!own.rows.is_empty());
    assert_eq!(pinned, own);
}

#[test]
fn a_reader_in_a_pid_namespace_sees_its_processes_by_their_numbers_there() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let pins = TextPins::new();
    let outside = Workload::start("idle", &[]);
    let mut reader = Workload::under(&IN_NEW_PID_NAMESPACE, "tables");
    assert_eq!(reader.number("pid"), 1);
    let moving: [(&str, &[&str]); 2] = [
        ("tasks", &["state", "cpu", "utime", "stime"]),
        ("processes", &["state", "utime", "stime", "rss", "vsize"]),
    ];
    for (table, moving) in moving {
        let pin = pins.pin(table);
        let own = Lines::of(reader.read(&mount.path(table)).as_bytes()).but(moving);
        let pinned = Lines::of(reader.read(&pin).as_bytes()).but(moving);
        assert!(!own.rows.is_empty());
        assert_eq!(pinned, own);
        assert_eq!(numbers(&pinned, "pid"), BTreeSet::from([1]));
        assert!(numbers(&Lines::of(&cat(&pin)), "pid").contains(&u64::from(outside.pid())));
    }
    // All but the file that it reads.
    let files = |text: String| {
        let mut lines = Lines::of(text.as_bytes());
        let reads = |field: &Field| {
            field
                .0
                .as_ref()
                .is_some_and(|path| whole(path).contains("iterfs-test"))
        };
        lines.rows.retain(|row| !row.last().is_some_and(reads));
        lines
    };
    let pin = pins.pin("files");
    let own = files(reader.read(&mount.path("files")));
    assert!(own.rows.len() > 3);
    assert_eq!(files(reader.read(&pin)), own);
    // The process number of a link is one of its reader's namespace.
    let pin = pins.pin("pid/1/files");
    assert_eq!(files(reader.read(&pin)), own);
}

#[test]
fn a_reader_in_a_net_namespace_sees_its_sockets() {
    if !needs_text_mode() {
        return;
    }
    let mount = Mount::new();
    let pins = TextPins::new();
    let host = Workload::start("netlink", &[]);
    let sockets = pins.pin("net/sockets");
    let here = fs::metadata("/proc/thread-self/ns/net").unwrap();
    let here = std::os::unix::fs::MetadataExt::ino(&here);
    let found = Lines::of(&cat(&sockets));
    assert_eq!(numbers(&found, "netns"), BTreeSet::from([here]));
    let of_it = |text: &[u8]| Lines::of(text).with("pid", host.pid());
    let (own, pinned) = both(&mount, "net/sockets", &sockets, of_it);
    assert!(!own.rows.is_empty());
    assert_eq!(pinned, own);

    in_new_net_namespace(|| {
        let mut reader = Workload::start("netlink", &[]);
        let own = reader.read(&mount.path("net/sockets"));
        let pinned = reader.read(&sockets);
        assert_eq!(pinned, own);
        let pinned = Lines::of(pinned.as_bytes());
        assert_eq!(
            numbers(&pinned, "pid"),
            BTreeSet::from([u64::from(reader.pid())])
        );

        // The table of one process shows all its sockets, from every namespace.
        let path = format!("pid/{}/sockets", host.pid());
        let own = reader.read(&mount.path(&path));
        assert!(own.lines().count() > 2);
        assert_eq!(reader.read(&pins.pin(&path)), own);
    });
}
