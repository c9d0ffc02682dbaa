//! `net/udp` beside ss(8) and /proc/net/udp, in a net namespace of the test's own.

use iterfs_tests::fixtures::descriptors::ManyDescriptors;
use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::oracles::columns::Columns;
use iterfs_tests::oracles::inet::{self, Line};
use iterfs_tests::oracles::ss::{self, Socket};
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::{Mount, Row};
use nix::sys::socket::{setsockopt, sockopt};
use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::fchown;

const OWNER: u32 = 23456;
const MARK: u32 = 0xfeed;

/// All UDP sockets of the thread's net namespace; each has an inode number.
fn oracle() -> Vec<(Line, Socket)> {
    let mut lines = ss::inet("-uanem");
    let all = inet::read("udp").into_iter().map(|proc| {
        let at = lines
            .iter()
            .position(|ss| ss.number("ino") == Some(proc.inode));
        let at = at.unwrap_or_else(|| unreachable!("ss has no {proc:?}: {lines:#?}"));
        (proc, lines.swap_remove(at))
    });
    let all = all.collect();
    assert!(lines.is_empty(), "ss alone has {lines:?}");
    all
}

/// Sockets of every sort; the last of them never get rid of what they send.
fn open() -> io::Result<Vec<UdpSocket>> {
    run("ip link set lo up");
    let mut sockets = Vec::new();
    for host in ["127.0.0.1:0", "[::1]:0"] {
        let idle = UdpSocket::bind(host)?;
        let queued = UdpSocket::bind(host)?;
        let narrow = UdpSocket::bind(host)?;
        setsockopt(&narrow, sockopt::RcvBuf, &1)?;
        setsockopt(&narrow, sockopt::SndBuf, &10_000)?;
        let sender = UdpSocket::bind(host)?;
        for size in [10, 2000, 300] {
            sender.send_to(&vec![b'q'; size], queued.local_addr()?)?;
        }
        for _ in 0..50 {
            sender.send_to(&[b'd'; 500], narrow.local_addr()?)?;
        }
        let read = queued.recv(&mut [0; 10])?;
        assert_eq!(read, 10);
        let connected = UdpSocket::bind(host)?;
        connected.connect(idle.local_addr()?)?;
        sockets.extend([idle, queued, narrow, sender, connected]);
    }
    let any = UdpSocket::bind("0.0.0.0:0")?;
    setsockopt(&any, sockopt::BindToDevice, &OsString::from("lo"))?;
    setsockopt(&any, sockopt::Mark, &MARK)?;
    fchown(&any, Some(OWNER), None)?;
    let both = UdpSocket::bind("[::]:0")?;
    let mapped = SocketAddr::from(([127, 0, 0, 1], any.local_addr()?.port()));
    both.connect(format!("[::ffff:127.0.0.1]:{}", mapped.port()))?;
    sockets.extend([any, both]);

    // Ten bytes a second: nothing gets through within a test.
    run("tc qdisc add dev lo root tbf rate 80bit burst 2000 limit 100000");
    let sending = UdpSocket::bind("127.0.0.1:0")?;
    for _ in 0..5 {
        sending.send_to(&[b's'; 1000], sockets[0].local_addr()?)?;
    }
    sockets.push(sending);
    Ok(sockets)
}

fn compare(row: &Row, (proc, ss): &(Line, Socket)) {
    assert_eq!(ss.state(), proc.state);
    assert_eq!(ss.queues(), (proc.rx, proc.tx));
    Columns::of(row)
        .is("state", proc.state)
        .is("local", proc.local.ip().to_string())
        .is("local_port", proc.local.port())
        .is("remote", proc.remote.ip().to_string())
        .is("remote_port", proc.remote.port())
        .is("uid", proc.uid)
        .is("inode", proc.inode)
        .is("rqueue", proc.rx)
        .is("wqueue", proc.tx)
        .is("rbuf", ss.memory("rb"))
        .is("wbuf", ss.memory("tb"))
        .is("drops", proc.drops)
        .is("refs", proc.refs)
        .is("mark", ss.hex("fwmark").unwrap_or(0))
        .is("interface", ss.interface())
        .is("cgroup", ss.cgroup())
        .done();
}

#[test]
fn every_socket_is_as_ss_and_proc_have_it() {
    let mount = Mount::new();
    let inside = in_new_net_namespace(|| {
        let sockets = open().unwrap();
        let (expected, rows, _) = steadily(oracle, || mount.rows("net/udp"), PartialEq::eq);
        assert_eq!(rows.len(), sockets.len());
        assert_eq!(rows.len(), expected.len());
        for row in &rows {
            let inode = row["inode"].as_u64().unwrap();
            let of_it = expected.iter().find(|(proc, _)| proc.inode == inode);
            compare(row, of_it.expect("/proc has the socket"));
        }
        rows
    });

    // Check that the workload has everything that it is meant to have.
    let some = |column: &str, is: fn(u64) -> bool| {
        let values = inside.iter().filter_map(|row| row[column].as_u64());
        assert!(values.filter(|&value| is(value)).count() > 0, "{column}");
    };
    some("rqueue", |bytes| bytes > 2300);
    some("wqueue", |bytes| bytes > 3000);
    some("drops", |drops| drops > 10);
    some("uid", |uid| uid == u64::from(OWNER));
    some("mark", |mark| mark == u64::from(MARK));
    some("interface", |index| index > 0);

    // Outside of the namespace, none of it is visible.
    let outside = mount.rows("net/udp");
    assert!(
        outside
            .iter()
            .all(|row| inside.iter().all(|other| other["inode"] != row["inode"]))
    );
}

#[test]
fn thousands_of_sockets_are_all_there() {
    const SOCKETS: usize = 10_000;
    let _many = ManyDescriptors::allow();
    let mount = Mount::new();
    in_new_net_namespace(|| {
        run("ip link set lo up");
        let bind = |_| UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets: Vec<_> = (0..SOCKETS).map(bind).collect();
        let port = |socket: &UdpSocket| u64::from(socket.local_addr().unwrap().port());
        let mut expected: Vec<_> = sockets.iter().map(port).collect();
        expected.sort_unstable();
        for _ in 0..3 {
            let rows = mount.rows("net/udp");
            let mut ports: Vec<_> = rows
                .iter()
                .map(|row| row["local_port"].as_u64().unwrap())
                .collect();
            ports.sort_unstable();
            assert!(ports == expected, "{} of {SOCKETS} sockets", ports.len());
        }
    });
}
