//! `bpf/map/<id>/sk_storage`: storage that the test gives to its own sockets.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::bpf_maps::{id, load, map_of, set};
use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::oracles::socket_columns::{Facts, inode, pair};
use iterfs_tests::wait::wait_until;
use libbpf_rs::{MapCore, MapHandle};
use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

const SOURCE: &str = concat!(
    include_str!("programs/maps.h"),
    include_str!("programs/sockets.bpf.c")
);

/// Stores a note with a socket, by its descriptor.
fn note(map: &MapHandle, socket: &impl AsFd, number: u64) {
    let mut value = number.to_ne_bytes().to_vec();
    value.extend(b"note\0\0\0\0");
    value.extend([3u16, 4].into_iter().flat_map(u16::to_ne_bytes));
    value.resize(map.value_size() as usize, 0);
    set(map, &socket.as_fd().as_raw_fd().to_ne_bytes(), &value);
}

fn compare(mount: &Mount, map: &MapHandle, sockets: &[(&dyn Socket, Facts)]) {
    for (number, (socket, _)) in sockets.iter().enumerate() {
        note(map, &socket.as_fd(), number as u64);
    }
    let rows = mount.rows(&format!("bpf/map/{}/sk_storage", id(map)));
    assert_eq!(rows.len(), sockets.len());
    for (number, (socket, facts)) in sockets.iter().enumerate() {
        let row = find(&rows, &[("inode", inode(&socket.as_fd()).into())]);
        let mut columns = Columns::of(row);
        facts.compare(&socket.as_fd(), &mut columns);
        columns
            .is(
                "value",
                json!({"number": number, "text": "note", "pair": [3, 4]}),
            )
            .done();
    }
}

/// Anything with a descriptor.
trait Socket: AsFd {}
impl<T: AsFd> Socket for T {}

#[test]
fn sockets_of_every_family_are_shown_with_their_storage() {
    let mount = Mount::new();
    in_new_net_namespace(|| {
        run("ip link set lo up");
        let map = map_of(&load(SOURCE), "notes");
        let (near, far) = pair("127.0.0.1:0");
        let (near6, far6) = pair("[::1]:0");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let unconnected = UdpSocket::bind("[::1]:0").unwrap();
        let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
        connected.connect(to).unwrap();
        let (stream, _other) = UnixStream::pair().unwrap();
        let datagram = UnixDatagram::unbound().unwrap();

        let udp = |socket: &UdpSocket, family, state, remote| Facts {
            family,
            kind: "dgram",
            protocol: libc::IPPROTO_UDP as u32,
            state,
            local: Some(socket.local_addr().unwrap()),
            remote,
        };
        let unix = |kind, state| Facts {
            family: "unix",
            kind,
            protocol: 0,
            state,
            local: None,
            remote: None,
        };
        let listening = Facts {
            state: "LISTEN",
            local: Some(listener.local_addr().unwrap()),
            remote: None,
            ..Facts::of_stream(&near)
        };
        compare(
            &mount,
            &map,
            &[
                (&near, Facts::of_stream(&near)),
                (&far, Facts::of_stream(&far)),
                (&near6, Facts::of_stream(&near6)),
                (&far6, Facts::of_stream(&far6)),
                (&listener, listening),
                (&unconnected, udp(&unconnected, "inet6", "UNCONN", None)),
                (&connected, udp(&connected, "inet", "ESTAB", Some(to))),
                (&stream, unix("stream", "ESTAB")),
                (&datagram, unix("dgram", "UNCONN")),
            ],
        );
    });
}

#[test]
fn storage_goes_with_its_socket() {
    let mount = Mount::new();
    let map = map_of(&load(SOURCE), "notes");
    let path = format!("bpf/map/{}/sk_storage", id(&map));
    assert!(mount.rows(&path).is_empty());
    assert_eq!(mount.text(&path).lines().count(), 1);

    let sockets: Vec<_> = (0..500).map(|_| UnixDatagram::unbound().unwrap()).collect();
    for (number, socket) in sockets.iter().enumerate() {
        note(&map, socket, number as u64);
    }
    let rows = mount.rows(&path);
    assert_eq!(rows.len(), sockets.len());
    for (number, socket) in sockets.iter().enumerate() {
        let row = find(&rows, &[("inode", inode(socket).into())]);
        assert_eq!(row["value"]["number"], number);
    }
    drop(sockets);
    // A socket is freed a grace period after its last reference.
    wait_until("the storage is gone", || mount.rows(&path).is_empty());
}

/// The limit of the memory that the kernel keeps beside a socket (sysctl net.core.optmem_max),
/// raised where it is lower, as it is by default before Linux 6.8. Dropped, it is as before.
struct SocketMemory(Option<String>);

impl SocketMemory {
    const FILE: &str = "/proc/sys/net/core/optmem_max";

    fn at_least(bytes: usize) -> SocketMemory {
        let before = fs::read_to_string(SocketMemory::FILE).unwrap();
        if before.trim().parse::<usize>().unwrap() >= bytes {
            return SocketMemory(None);
        }
        fs::write(SocketMemory::FILE, bytes.to_string()).unwrap();
        SocketMemory(Some(before))
    }
}

impl Drop for SocketMemory {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = fs::write(SocketMemory::FILE, before);
        }
    }
}

#[test]
fn a_value_that_no_iterator_brings_is_an_error() {
    let mount = Mount::new();
    let map = map_of(&load(SOURCE), "novels");
    let path = mount.path(&format!("bpf/map/{}/sk_storage.jsonl", id(&map)));
    assert_eq!(fs::read(&path).unwrap(), b"");
    let socket = UnixDatagram::unbound().unwrap();
    let value = vec![7; map.value_size() as usize];
    let _memory = SocketMemory::at_least(2 * value.len());
    set(&map, &socket.as_raw_fd().to_ne_bytes(), &value);
    let error = fs::read(&path).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::E2BIG));
}
