//! `net/sockets` and `pid/<n>/sockets` beside ss(8), lsof(8) and /proc/<pid>/fd.

use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::oracles::proc::{self, shown};
use iterfs_tests::{Mount, Row, oracles::ss, oracles::unix};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;

/// The sockets among a process's descriptors: their inode numbers, by descriptor.
fn held(pid: u32) -> BTreeMap<u32, u64> {
    let directory = proc::process(pid);
    let descriptors = proc::numbers(&directory.join("fd")).into_iter();
    let sockets = descriptors.filter_map(|fd| {
        let link = proc::Descriptor::read(&directory, fd).link;
        let inode = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
        Some((fd, std::str::from_utf8(inode).ok()?.parse().ok()?))
    });
    sockets.collect()
}

/// A process's rows, in the order of their descriptors.
fn of_process(mut rows: Vec<Row>, pid: u32) -> Vec<Row> {
    rows.retain(|row| row["pid"] == pid);
    rows
}

fn inodes(rows: &[Row]) -> BTreeMap<u32, u64> {
    let pair = |row: &Row| Some((row["fd"].as_u64()?.try_into().ok()?, row["inode"].as_u64()?));
    rows.iter()
        .map(|row| pair(row).expect("a socket's numbers"))
        .collect()
}

/// `address:port`, with `*` for none, as ss and lsof show ends.
fn end(row: &Row, address: &str, port: &str) -> String {
    let port = row[port]
        .as_u64()
        .map_or("*".to_owned(), |port| port.to_string());
    match row[address].as_str() {
        Some(ip) if ip.contains(':') => format!("[{ip}]:{port}"),
        Some(ip) => format!("{ip}:{port}"),
        None => "*".to_owned(),
    }
}

/// Family, type and protocol of each of the workload's descriptors.
fn kinds(workload: &Workload) -> BTreeMap<u32, (Value, Value, Value)> {
    let kind = |name: &str| match name {
        "unix listener" | "unix stream" => Some(("unix", "stream", 0)),
        "unix datagram" => Some(("unix", "dgram", 0)),
        "tcp v4" | "tcp listener v4" => Some(("inet", "stream", 6)),
        "tcp v6" | "tcp listener v6" => Some(("inet6", "stream", 6)),
        "udp v4" => Some(("inet", "dgram", 17)),
        "udp v6" => Some(("inet6", "dgram", 17)),
        "netlink" => Some(("netlink", "raw", 0)),
        "packet" => Some(("packet", "dgram", 0)),
        _ => None,
    };
    let kinds = workload.facts().iter().filter_map(|(name, fd)| {
        let (family, kind, protocol) = kind(name)?;
        let fd = fd.as_u64()?.try_into().ok()?;
        Some((fd, (family.into(), kind.into(), protocol.into())))
    });
    kinds.collect()
}

/// Compares the IP and unix sockets with what ss says of them.
fn compare_with_ss(rows: &[Row], pid: u32) -> usize {
    let listed = [ss::inet("-tunape"), ss::unix()].concat();
    let names = unix::read();
    let mut compared = 0;
    for row in rows {
        let inode = row["inode"].as_u64().unwrap();
        if row["family"] == "unix" {
            let ss = listed
                .iter()
                .find(|ss| ss.is_unix() && ss.inodes().0 == inode);
            assert_eq!(row["state"], ss.expect("ss has it").state());
            let name = names.iter().find(|name| name.inode == inode);
            let name = shown(&name.expect("/proc/net/unix has it").path);
            assert_eq!(row["path"].as_str().unwrap_or_default(), name);
            compared += 1;
        } else if row["family"] == "inet" || row["family"] == "inet6" {
            let ss = listed
                .iter()
                .find(|ss| !ss.is_unix() && ss.number("ino") == Some(inode));
            let ss = ss.unwrap_or_else(|| unreachable!("ss has no {row:?}"));
            assert!(
                ss.details()
                    .contains(&format!("pid={pid},fd={})", row["fd"])),
                "{ss:?}"
            );
            assert_eq!(row["state"], ss.state());
            let (local, remote) = ss.ends();
            assert_eq!(end(row, "local", "local_port"), local);
            if !row["remote"].is_null() {
                assert_eq!(end(row, "remote", "remote_port"), remote);
            } else {
                assert!(remote.ends_with(":*"), "{remote}");
            }
            compared += 1;
        }
    }
    compared
}

/// `lsof -i`: descriptor, protocol and ends of each IP socket.
fn lsof(pid: u32) -> BTreeSet<(String, String, String)> {
    let text = run(&format!("lsof -a -i -nP -p {pid} -F fPn"));
    let lines: Vec<_> = text.lines().skip(1).collect();
    let sockets = lines.chunks(3);
    sockets
        .map(|lines| {
            (
                lines[0][1..].into(),
                lines[1][1..].into(),
                lines[2][1..].into(),
            )
        })
        .collect()
}

fn as_lsof(row: &Row) -> (String, String, String) {
    let local = end(row, "local", "local_port");
    let remote = row["remote"]
        .as_str()
        .map(|_| format!("->{}", end(row, "remote", "remote_port")));
    let protocol = if row["protocol"] == 6 { "TCP" } else { "UDP" };
    (
        row["fd"].to_string(),
        protocol.into(),
        local + &remote.unwrap_or_default(),
    )
}

#[test]
fn sockets_of_a_process_are_as_ss_lsof_and_proc_have_them() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    in_new_net_namespace(|| {
        run("ip link set lo up");
        let workload = Workload::start("files", &[directory.path().as_os_str()]);
        let pid = workload.number("pid");
        let namespace = proc::namespace(Path::new("/proc/thread-self"), "net");
        let held = held(pid);
        let kinds = kinds(&workload);
        assert!(kinds.len() >= 10, "{kinds:?}");
        for table in ["net/sockets".to_owned(), format!("pid/{pid}/sockets")] {
            let rows = mount.rows(&table);
            assert!(
                rows.iter().all(|row| row["pid"] == pid),
                "nobody else is in there"
            );
            assert_eq!(inodes(&rows), held);
            assert_eq!(rows.len(), held.len());
            for (&fd, (family, kind, protocol)) in &kinds {
                let row = find(&rows, &[("fd", fd.into())]);
                let ends = [
                    "local",
                    "local_port",
                    "remote",
                    "remote_port",
                    "state",
                    "path",
                ];
                let mut columns = Columns::of(row);
                columns
                    .is("pid", pid)
                    .is("uid", 0)
                    .is("fd", fd)
                    .is("family", family.clone())
                    .is("type", kind.clone())
                    .is("protocol", protocol.clone())
                    .is("inode", held[&fd])
                    .is("netns", namespace)
                    .is("comm", "workload");
                // These are compared with what ss says, below.
                for column in ends {
                    columns.is(column, row[column].clone());
                }
                columns.done();
            }
            assert_eq!(compare_with_ss(&rows, pid), kinds.len() - 2);
            let ip = rows.iter().filter(|row| !row["local"].is_null());
            assert_eq!(ip.map(as_lsof).collect::<BTreeSet<_>>(), lsof(pid));
        }
        drop(workload);
        assert_eq!(mount.rows("net/sockets"), Vec::<Row>::new());
    });
}

#[test]
fn a_process_may_have_sockets_of_several_net_namespaces() {
    let mount = Mount::new();
    let pid = std::process::id();
    let outside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at_home = proc::namespace(Path::new("/proc/thread-self"), "net");
    in_new_net_namespace(|| {
        run("ip link set lo up");
        let inside = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let away = proc::namespace(Path::new("/proc/thread-self"), "net");
        assert_ne!(at_home, away);
        let port = |port: u16, netns| json!([port, netns]);
        let ports = |rows: Vec<Row>| -> Vec<Value> {
            let rows = of_process(rows, pid);
            rows.iter()
                .map(|row| json!([row["local_port"], row["netns"]]))
                .collect()
        };
        let out = port(outside.local_addr().unwrap().port(), at_home);
        let within = port(inside.local_addr().unwrap().port(), away);

        let seen = mount.rows("net/sockets");
        assert!(
            seen.iter().all(|row| row["netns"] == json!(away)),
            "{seen:?}"
        );
        assert_eq!(ports(seen), std::slice::from_ref(&within));
        let all = ports(mount.rows(&format!("pid/{pid}/sockets")));
        assert!(all.contains(&out) && all.contains(&within), "{all:?}");
    });
    let seen = mount.rows("net/sockets");
    assert!(seen.iter().all(|row| row["netns"] == json!(at_home)));
    let port = outside.local_addr().unwrap().port();
    let row = find(&seen, &[("pid", pid.into()), ("local_port", port.into())]);
    assert_eq!(row["state"], "LISTEN");
}
