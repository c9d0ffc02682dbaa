//! `summary/tcp_by_state` and `tcp_by_remote` beside ss(8), /proc/net/tcp and
//! `net/tcp`, in net namespaces of the test's own.

use iterfs_tests::fixtures::connections::Connections;
use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::oracles::inet::{self, Line};
use iterfs_tests::oracles::ss;
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::wait::wait_until;
use iterfs_tests::{Mount, Row};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};

/// Sockets, and the sums of their two queues, by state.
type States = BTreeMap<String, (u64, u64, u64)>;

fn states() -> States {
    let mut states = States::new();
    for socket in ss::inet("-tan") {
        let (receive, send) = socket.queues();
        let sum = states.entry(socket.state()).or_default();
        *sum = (sum.0 + 1, sum.1 + receive, sum.2 + send);
    }
    states
}

#[test]
fn sockets_by_state_are_as_ss_has_them() {
    let mount = Mount::new();
    in_new_net_namespace(|| {
        let _connections = Connections::open().unwrap();
        let (states, rows, _) =
            steadily(states, || mount.rows("summary/tcp_by_state"), PartialEq::eq);
        for (state, (sockets, receive, send)) in &states {
            Columns::of(find(&rows, &[("state", state.as_str().into())]))
                .is("state", state.as_str())
                .is("sockets", *sockets)
                .is("rqueue", *receive)
                .is("wqueue", *send)
                .done();
        }
        assert_eq!(rows.len(), states.len());
        for state in ["ESTAB", "LISTEN", "TIME_WAIT", "FIN_WAIT_2", "SYN_RECV"] {
            assert!(states.contains_key(state), "{state}: {states:?}");
        }
    });
}

/// The other end of a line, where there is one.
fn remote(line: &Line) -> Option<String> {
    (line.remote.port() != 0).then(|| line.remote.ip().to_string())
}

/// Sums of columns of `net/tcp` by remote address.
fn carried(rows: &[Row], column: &str) -> BTreeMap<Option<String>, u64> {
    let mut sums = BTreeMap::new();
    for row in rows {
        let connected = row["remote_port"] != 0;
        let remote = connected.then(|| row["remote"].as_str().unwrap().to_owned());
        *sums.entry(remote).or_default() += row[column].as_u64().unwrap_or(0);
    }
    sums
}

#[test]
fn sockets_by_remote_are_those_of_proc() {
    let mount = Mount::new();
    in_new_net_namespace(|| {
        let _connections = Connections::open().unwrap();
        let oracle = || {
            let lines = inet::read("tcp").into_iter();
            let mut lines: Vec<_> = lines.map(|line| (remote(&line), line.state)).collect();
            lines.sort();
            (
                lines,
                mount
                    .rows("net/tcp")
                    .into_iter()
                    .map(data)
                    .collect::<Vec<_>>(),
            )
        };
        let ((lines, tcp), rows, _) = steadily(
            oracle,
            || mount.rows("summary/tcp_by_remote"),
            PartialEq::eq,
        );
        let remotes: BTreeSet<_> = lines.iter().map(|(remote, _)| remote).collect();
        for &remote in &remotes {
            let of_it = lines.iter().filter(|(other, _)| other == remote);
            let established = of_it.clone().filter(|(_, state)| *state == "ESTAB");
            let mut row = Columns::of(find(&rows, &[("remote", remote.clone().into())]));
            row.is("remote", remote.clone())
                .is("sockets", of_it.clone().count())
                .is("established", established.count());
            for column in ["sent", "received", "retransmitted"] {
                row.is(column, carried(&tcp, column)[remote]);
            }
            row.done();
        }
        assert_eq!(rows.len(), remotes.len());
        let named: Vec<_> = remotes.into_iter().map(Option::as_deref).collect();
        assert_eq!(
            named,
            [
                None,
                Some("127.0.0.1"),
                Some("::1"),
                Some("::ffff:127.0.0.1")
            ]
        );
    });
}

/// The columns of a row of `net/tcp` that do not change by themselves.
fn data(mut row: Row) -> Row {
    let columns = ["remote", "remote_port", "sent", "received", "retransmitted"];
    row.retain(|name, _| columns.contains(&name.as_str()));
    row
}

#[test]
fn more_remotes_than_the_first_map_holds_are_all_counted() {
    // More than MANY_GROUPS of groups.h.
    const REMOTES: u32 = 16_384 + 1_000;
    let mount = Mount::new();
    in_new_net_namespace(|| {
        run("ip link set lo up");
        // Connections that ended here first wait without descriptors.
        std::fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "100000").unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = listener.local_addr().unwrap();
        let addresses: Vec<Ipv4Addr> = (0..REMOTES)
            .map(|number| Ipv4Addr::from_bits(0x7f01_0001 + number))
            .collect();
        for &address in &addresses {
            let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
            bind(&client, &SocketAddr::V4(SocketAddrV4::new(address, 0))).unwrap();
            connect(&client, &server).unwrap();
            drop(listener.accept().unwrap());
        }
        // The other ends close a little later.
        wait_until("only the ends that wait are left", || {
            let states = states();
            states.len() == 2 && states["TIME_WAIT"].0 == u64::from(REMOTES)
        });
        let expected: Vec<Value> = addresses.iter().map(|ip| ip.to_string().into()).collect();
        for _ in 0..2 {
            let rows = mount.rows("summary/tcp_by_remote");
            // Sorted: no remote, then the clients.
            let mut found = rows.iter().map(|row| &row["remote"]);
            assert_eq!(found.next(), Some(&Value::Null));
            assert!(found.eq(&expected), "{} rows", rows.len());
            assert!(rows[1..].iter().all(|row| row["sockets"] == 1));
        }
    });
}
