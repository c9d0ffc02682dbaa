//! `bpf/map/<id>/sockmap`: connections that the test puts into maps of its own.

use iterfs_tests::fixtures::bpf_maps::{id, plain, set};
use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::oracles::socket_columns::{Facts, pair};
use iterfs_tests::{Mount, Row};
use libbpf_rs::{MapCore, MapHandle, MapType};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

/// Puts a socket into a map, by its descriptor.
fn insert(map: &MapHandle, key: &[u8], socket: &TcpStream) {
    let mut value = socket.as_raw_fd().to_ne_bytes().to_vec();
    value.resize(map.value_size() as usize, 0);
    set(map, key, &value);
}

fn rows(mount: &Mount, map: &MapHandle) -> Vec<Row> {
    mount.rows(&format!("bpf/map/{}/sockmap", id(map)))
}

fn compare(rows: &[Row], expected: &[(Value, &TcpStream)]) {
    assert_eq!(rows.len(), expected.len());
    for (key, socket) in expected {
        let mut columns = Columns::of(find(rows, &[("key", key.clone())]));
        Facts::of_stream(socket).compare(*socket, &mut columns);
        columns.is("key", key.clone()).done();
    }
}

#[test]
fn established_connections_are_shown_by_their_keys() {
    let mount = Mount::new();
    in_new_net_namespace(|| {
        run("ip link set lo up");
        let (near, far) = pair("127.0.0.1:0");
        let (near6, far6) = pair("[::1]:0");

        // Between the two and behind them are empty places.
        for value_size in [4, 8] {
            let map = plain(MapType::Sockmap, 4, value_size, 10);
            insert(&map, &2u32.to_ne_bytes(), &near);
            insert(&map, &7u32.to_ne_bytes(), &far6);
            compare(&rows(&mount, &map), &[(json!(2), &near), (json!(7), &far6)]);
        }

        // The kernel takes no types for a map of sockets (ENOTSUPP).
        let map = plain(MapType::Sockhash, 6, 4, 10);
        let all = [&near, &far, &near6, &far6];
        for (number, socket) in (0..).zip(all) {
            insert(&map, &[1, 2, 3, 4, number, 0xff], socket);
        }
        let key = |number: u8| json!(format!("01020304{number:02x}ff"));
        let expected: Vec<_> = (0..).zip(all).map(|(n, s)| (key(n), s)).collect();
        compare(&rows(&mount, &map), &expected);
        let text = mount.text(&format!("bpf/map/{}/sockmap", id(&map)));
        assert!(text.starts_with("key          family"), "{text}");
        assert_eq!(text.lines().count(), 5);
    });
}

#[test]
fn maps_without_sockets_have_no_rows() {
    let mount = Mount::new();
    for kind in [MapType::Sockmap, MapType::Sockhash] {
        let map = plain(kind, 4, 4, 5);
        assert!(rows(&mount, &map).is_empty());
        let path = format!("bpf/map/{}/sockmap.json", id(&map));
        assert_eq!(mount.text(&path), "[]\n");
    }
}

#[test]
fn a_pass_longer_than_the_kernels_buffer_is_complete() {
    const COUNT: u32 = 1000;
    let mount = Mount::new();
    in_new_net_namespace(|| {
        run("ip link set lo up");
        let map = plain(MapType::Sockmap, 4, 4, COUNT);
        let (near, _far) = pair("127.0.0.1:0");
        (0..COUNT).for_each(|number| insert(&map, &number.to_ne_bytes(), &near));
        let rows = rows(&mount, &map);
        let keys: Vec<_> = rows.iter().map(|row| row["key"].clone()).collect();
        let expected: Vec<_> = (0..COUNT).map(Value::from).collect();
        assert_eq!(keys, expected);
    });
}
