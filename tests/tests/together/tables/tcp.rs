//! `net/tcp` beside ss(8) and /proc/net/tcp, in net namespaces of the test's own.

use iterfs_tests::fixtures::connections::{Connections, MARK, OWNER};
use iterfs_tests::fixtures::descriptors::ManyDescriptors;
use iterfs_tests::fixtures::netns::in_new_net_namespace;
use iterfs_tests::not_here::needs;
use iterfs_tests::oracles::columns::Columns;
use iterfs_tests::oracles::inet::{self, Line};
use iterfs_tests::oracles::proc::TICK;
use iterfs_tests::oracles::ss::{self, Socket};
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::{Mount, Row};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

const CONGESTION: [&str; 3] = ["bbr", "cubic", "reno"];

/// A socket as both oracles have it.
#[derive(Debug)]
struct Expected {
    proc: Line,
    ss: Socket,
}

/// All TCP sockets of the thread's net namespace, each with its line of ss.
fn oracle() -> Vec<Expected> {
    let mut lines = ss::inet("-tanemi");
    let expected: Vec<_> = inet::read("tcp")
        .into_iter()
        .map(|proc| {
            let ends = (
                shown_by_ss(&proc, proc.local),
                shown_by_ss(&proc, proc.remote),
            );
            let of_it = |ss: &Socket| ss.ends() == ends && ss.state() == proc.state;
            let at = lines.iter().position(of_it);
            let at = at.unwrap_or_else(|| unreachable!("ss has no {proc:?}: {lines:#?}"));
            Expected {
                proc,
                ss: lines.swap_remove(at),
            }
        })
        .collect();
    assert!(lines.is_empty(), "ss alone has {lines:?}");
    expected
}

fn shown_by_ss(proc: &Line, end: SocketAddr) -> String {
    let any = end.ip().is_unspecified();
    match (end.port(), any && proc.local.is_ipv6()) {
        (0, true) => "*:*".into(),
        (port, true) => format!("*:{port}"),
        (0, false) => format!("{}:*", end.ip()),
        (_, false) => end.to_string(),
    }
}

/// Whether two lists are equal but for clocks and the order of lines.
fn same(before: &[Expected], after: &[Expected]) -> bool {
    before.len() == after.len()
        && before.iter().all(|one| {
            after.iter().any(|other| {
                let at_that_time = Line {
                    when: one.proc.when,
                    ..other.proc.clone()
                };
                let later = one.proc.when >= other.proc.when;
                one.proc == at_that_time && later && figures(&one.ss) == figures(&other.ss)
            })
        })
}

fn figures(ss: &Socket) -> impl PartialEq + use<> {
    let numbers = [
        "cwnd",
        "ssthresh",
        "mss",
        "bytes_sent",
        "bytes_acked",
        "bytes_retrans",
    ];
    let numbers = numbers.map(|key| ss.number(key));
    (numbers, ss.queues(), ss.pair("rtt"), ss.memory("d"))
}

/// The socket with the same ends, which identify it.
fn of_row<'a>(expected: &'a [Expected], row: &Row) -> &'a Expected {
    let end = |address: &str, port: &str| {
        let address = row[address].as_str().and_then(|text| text.parse().ok());
        let port = row[port].as_u64().and_then(|port| port.try_into().ok());
        SocketAddr::new(address.expect("an address"), port.expect("a port"))
    };
    let ends = (end("local", "local_port"), end("remote", "remote_port"));
    let mut with_ends = expected
        .iter()
        .filter(|one| (one.proc.local, one.proc.remote) == ends);
    let one = with_ends.next();
    assert!(with_ends.next().is_none(), "ambiguous: {ends:?}");
    one.unwrap_or_else(|| unreachable!("no oracle has {row:?}"))
}

fn compare(row: &Row, before: &Expected, after: &Expected) {
    let (proc, ss) = (&before.proc, &before.ss);
    let socket = !matches!(proc.state, "TIME_WAIT" | "SYN_RECV") && ss.memory("d").is_some();
    let connection = socket && proc.state != "LISTEN";
    let counted = |key| connection.then(|| ss.number(key).unwrap_or(0));
    let mut columns = Columns::of(row);
    columns
        .is("state", proc.state)
        .is("local", proc.local.ip().to_string())
        .is("local_port", proc.local.port())
        .is("remote", proc.remote.ip().to_string())
        .is("remote_port", proc.remote.port())
        .is("uid", proc.uid)
        .is("inode", (proc.inode != 0).then_some(proc.inode))
        .is("rqueue", ss.queues().0)
        .is("wqueue", ss.queues().1)
        .is("timer", proc.timer)
        .is("retransmits", proc.retransmits)
        .is("mark", ss.hex("fwmark").unwrap_or(0))
        .is("interface", ss.interface())
        .is("cgroup", ss.cgroup())
        .is("cwnd", ss.number("cwnd"))
        .is("ssthresh", ss.number("ssthresh"))
        .is("mss", ss.number("mss"))
        .is("sent", counted("bytes_sent"))
        .is("acked", counted("bytes_acked"))
        .is("received", counted("bytes_received"))
        .is("retransmitted", counted("bytes_retrans"))
        .is("drops", ss.memory("d"))
        .is(
            "congestion",
            CONGESTION.into_iter().find(|name| ss.has(name)),
        );
    if proc.state == "SYN_RECV" {
        // /proc does not count the references of half-open connections.
        columns.between("refs", 1, 3);
    } else {
        columns.is("refs", proc.refs);
    }
    if proc.timer == "off" {
        columns.is("expires", Value::Null);
    } else {
        let low = after.proc.when * TICK;
        columns.between("expires", low, (before.proc.when + 1) * TICK);
    }
    match ss.pair("rtt") {
        // ss shows microseconds, and the columns are finer.
        Some((srtt, rttvar)) => columns
            .between("srtt", srtt * 1000, srtt * 1000 + 999)
            .between("rttvar", rttvar * 1000, rttvar * 1000 + 999),
        None => columns.is("srtt", Value::Null).is("rttvar", Value::Null),
    };
    columns.done();
}

#[test]
fn every_socket_is_as_ss_and_proc_have_it() {
    let mount = Mount::new();
    let inside = in_new_net_namespace(|| {
        let connections = Connections::open().unwrap();
        let (before, rows, after) = steadily(
            oracle,
            || mount.rows("net/tcp"),
            |before, after| same(before, after),
        );
        assert_eq!(rows.len(), before.len());
        for row in &rows {
            compare(row, of_row(&before, row), of_row(&after, row));
        }
        drop(connections);
        rows
    });

    // Check that the workload has everything that it is meant to have.
    let all = |column: &str| -> BTreeSet<String> {
        let values = inside.iter().filter(|row| !row[column].is_null());
        values
            .map(|row| row[column].to_string().replace('"', ""))
            .collect()
    };
    let states = all("state");
    for state in
        "ESTAB SYN_SENT SYN_RECV FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSE_WAIT LAST_ACK LISTEN"
            .split(' ')
    {
        assert!(states.contains(state), "{state} in {states:?}");
    }
    for timer in ["off", "on", "keepalive", "timewait", "persist"] {
        assert!(all("timer").contains(timer), "{timer}");
    }
    let available = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let available = std::fs::read_to_string(available).unwrap();
    for name in CONGESTION {
        let is_here = available.split_whitespace().any(|other| other == name);
        if needs(
            is_here,
            &format!("the kernel has no congestion control {name}"),
        ) {
            assert!(all("congestion").contains(name), "{name}");
        }
    }
    assert!(all("uid").contains(&OWNER.to_string()));
    assert!(all("mark").contains(&MARK.to_string()));
    assert!(all("local").contains("::ffff:127.0.0.1"));

    // Outside of the namespace, none of it is visible.
    let inodes = |rows: &[Row]| -> HashSet<u64> {
        rows.iter()
            .filter_map(|row| row["inode"].as_u64())
            .collect()
    };
    let outside = inodes(&mount.rows("net/tcp"));
    assert!(inodes(&inside).is_disjoint(&outside));
}

#[test]
fn thousands_of_connections_are_all_there() {
    const CONNECTIONS: usize = 5000;
    let _many = ManyDescriptors::allow();
    let mount = Mount::new();
    in_new_net_namespace(|| {
        iterfs_tests::fixtures::netns::run("ip link set lo up");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let pairs: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                (
                    TcpStream::connect(address).unwrap(),
                    listener.accept().unwrap(),
                )
            })
            .collect();
        let mut ends = BTreeSet::from([(address, SocketAddr::from(([0; 4], 0)))]);
        for (near, (_, from)) in &pairs {
            assert_eq!(*from, near.local_addr().unwrap());
            ends.extend([(*from, address), (address, *from)]);
        }
        for _ in 0..3 {
            let rows = mount.rows("net/tcp");
            let shown = rows.iter().map(|row| {
                let end = |address: &str, port: &str| {
                    let text = format!("{}:{}", row[address].as_str().unwrap(), row[port]);
                    text.parse::<SocketAddr>().unwrap()
                };
                (end("local", "local_port"), end("remote", "remote_port"))
            });
            assert_eq!(rows.len(), 2 * CONNECTIONS + 1);
            assert_eq!(shown.collect::<BTreeSet<_>>(), ends);
        }
    });
}
