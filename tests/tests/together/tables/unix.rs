//! `net/unix` beside ss(8) and /proc/net/unix, in a net namespace of the test's own.

use iterfs_tests::fixtures::netns::in_new_net_namespace;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::columns::Columns;
use iterfs_tests::oracles::proc::{self, shown};
use iterfs_tests::oracles::ss::{self, Socket};
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::oracles::unix::{self, Line};
use iterfs_tests::{Mount, Row};
use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, send,
    sendto, socket_with, socketpair,
};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::fchown;
use std::path::Path;

const OWNER: u32 = 34567;
/// Messages beyond which the program does not add up what is unread.
const MANY: usize = 300;

const NAMES: [&[u8]; 6] = [
    b"plain",
    b"with blanks and\ttab",
    b"with a\nnewline",
    b"no text: \xff\xfe",
    b"back\\slash \"quoted\"",
    b"gone",
];
const ABSTRACT: [&[u8]; 4] = [b"abstract", b"in\0the\0middle\0", b"\0\0", b" \xff\n"];

fn new(kind: SocketType) -> OwnedFd {
    socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
}

fn pair(kind: SocketType) -> [OwnedFd; 2] {
    socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
        .unwrap()
        .into()
}

fn write(socket: &OwnedFd, size: usize) {
    let sent = send(socket, &vec![b'm'; size], SendFlags::DONTWAIT);
    assert_eq!(sent, Ok(size));
}

fn open(directory: &Path) -> Vec<OwnedFd> {
    let mut sockets = vec![new(SocketType::STREAM), new(SocketType::DGRAM)];
    for kind in [SocketType::STREAM, SocketType::SEQPACKET, SocketType::DGRAM] {
        let [idle, other] = pair(kind);
        let [full, reader] = pair(kind);
        for size in [100, 20, 3] {
            write(&full, size);
        }
        // Read part of a stream's data, and one whole message of the others.
        let read = nix::unistd::read(&reader, &mut [0; 60]).unwrap();
        assert_eq!(read, 60);
        let [abandoned, _] = pair(kind);
        sockets.extend([idle, other, full, reader, abandoned]);
    }
    fchown(&sockets[0], Some(OWNER), None).unwrap();

    // 108 bytes leave no room for the NUL that ends shorter ones.
    let longest = |path: &Path| [b'l'].repeat(107 - path.as_os_str().len());
    let longest = longest(directory);
    let paths = NAMES.into_iter().chain([longest.as_slice()]);
    for (index, name) in paths.enumerate() {
        let path = directory.join(OsStr::from_bytes(name));
        let address = SocketAddrUnix::new(&path).unwrap();
        sockets.extend(listening(&address, index));
        if name == b"gone" {
            fs::remove_file(&path).unwrap();
        }
    }
    for (index, name) in ABSTRACT
        .into_iter()
        .chain([[b'L'].repeat(107).as_slice()])
        .enumerate()
    {
        sockets.extend(listening(
            &SocketAddrUnix::new_abstract_name(name).unwrap(),
            index,
        ));
    }

    let mailbox = new(SocketType::DGRAM);
    let address = SocketAddrUnix::new(directory.join("mailbox")).unwrap();
    bind(&mailbox, &address).unwrap();
    let sender = new(SocketType::DGRAM);
    for text in ["first", "the second"] {
        sendto(&sender, text.as_bytes(), SendFlags::empty(), &address).unwrap();
    }
    let connected = new(SocketType::DGRAM);
    connect(&connected, &address).unwrap();
    sockets.extend([mailbox, sender, connected]);
    sockets
}

/// A listening socket with clients that nobody accepts.
fn listening(address: &SocketAddrUnix, clients: usize) -> Vec<OwnedFd> {
    let kind = [SocketType::STREAM, SocketType::SEQPACKET][clients % 2];
    let listener = new(kind);
    bind(&listener, address).unwrap();
    listen(&listener, clients as i32 + 5).unwrap();
    let clients = (0..clients).map(|_| {
        let client = new(kind);
        connect(&client, address).unwrap();
        write(&client, 9);
        client
    });
    let clients: Vec<_> = clients.collect();
    clients.into_iter().chain([listener]).collect()
}

/// All unix sockets; those nobody accepted yet have no inode number.
fn oracle() -> (Vec<Line>, Vec<Socket>) {
    (unix::read(), ss::unix())
}

/// Its name, empty if it has none.
fn path(row: &Row) -> &str {
    let path = &row["path"];
    assert_ne!(path, "", "no name is null");
    path.as_str().unwrap_or_default()
}

fn compare(row: &Row, proc: &Line, ss: &Socket, (cgroup, uid): (u64, u32)) {
    let some = |number: u64| (number != 0).then_some(number);
    let (inode, peer) = ss.inodes();
    assert_eq!(inode, proc.inode);
    Columns::of(row)
        .is("type", proc.kind)
        .is("state", ss.state())
        .is("uid", uid)
        .is("inode", some(inode))
        .is("peer", some(peer))
        .is("rqueue", ss.queues().0)
        .is("wqueue", ss.queues().1)
        .is("refs", proc.refs)
        .is("cgroup", cgroup)
        .is("path", row["path"].clone())
        .done();
    // Where /proc shows an @, the table says whether it is a NUL.
    assert_eq!(path(row).replace('\0', "@"), shown(&proc.path));
}

#[test]
fn every_socket_is_as_ss_and_proc_have_it() {
    let mount = Mount::new();
    if !needs_table(&mount, "net/unix") {
        return;
    }
    let directory = tempfile::Builder::new()
        .prefix("u")
        .rand_bytes(4)
        .tempdir()
        .unwrap();
    let cgroup = proc::cgroup(Path::new("/proc/thread-self"));
    let inside = in_new_net_namespace(|| {
        let sockets = open(directory.path());
        let given = nix::sys::stat::fstat(&sockets[0]).unwrap().st_ino;
        let ((lines, ss), rows, _) = steadily(oracle, || mount.rows("net/unix"), PartialEq::eq);
        assert_eq!(rows.len(), lines.len());
        // ss leaves out what nobody accepted.
        assert_eq!(ss.len(), sockets.len());
        let owned: Vec<_> = rows.iter().filter(|row| !row["inode"].is_null()).collect();
        assert_eq!(owned.len(), sockets.len());
        for row in owned {
            let inode = row["inode"].as_u64().unwrap();
            let proc = lines.iter().find(|line| line.inode == inode);
            let ss = ss.iter().find(|socket| socket.inodes().0 == inode);
            compare(
                row,
                proc.expect("/proc has it"),
                ss.expect("ss has it"),
                (cgroup, if inode == given { OWNER } else { 0 }),
            );
        }
        // Rows without an inode number differ only in their values.
        let mut nameless: Vec<_> = rows.iter().filter(|row| row["inode"].is_null()).collect();
        for line in lines.iter().filter(|line| line.inode == 0) {
            let same = |row: &&Row| {
                let path = path(row).replace('\0', "@");
                row["type"] == line.kind && row["refs"] == line.refs && path == shown(&line.path)
            };
            let at = nameless.iter().position(same);
            let row = nameless.swap_remove(at.unwrap_or_else(|| unreachable!("no {line:?}")));
            assert_eq!(row["rqueue"], 9, "{row:?}");
            // The request to connect lies with the listener until it is accepted.
            assert!(row["wqueue"].as_u64() > Some(0), "{row:?}");
            assert_eq!(row["state"], "ESTAB", "{row:?}");
            assert!(row["peer"].is_u64(), "{row:?}");
        }
        assert!(nameless.is_empty(), "{nameless:?}");
        rows
    });

    let has = |column: &str, value: Value| {
        assert!(
            inside.iter().any(|row| row[column] == value),
            "{column} {value}"
        );
    };
    has("uid", OWNER.into());
    has("path", "@in\0the\0middle\0".into());
    has(
        "path",
        shown(
            &directory
                .path()
                .join(OsStr::from_bytes(NAMES[3]))
                .into_os_string()
                .into_encoded_bytes(),
        )
        .into(),
    );
    let longest = |row: &Row| row["path"].as_str().is_some_and(|path| path.len() == 108);
    assert!(inside.iter().filter(|row| longest(row)).count() >= 2);

    let inode = |row: &Row| row["inode"].as_u64();
    let outside: Vec<_> = mount.rows("net/unix").iter().filter_map(inode).collect();
    assert!(
        inside
            .iter()
            .filter_map(inode)
            .all(|inode| !outside.contains(&inode))
    );
}

#[test]
fn a_queue_of_many_messages_is_added_up_or_absent() {
    let mount = Mount::new();
    if !needs_table(&mount, "net/unix") {
        return;
    }
    in_new_net_namespace(|| {
        for kind in [SocketType::STREAM, SocketType::SEQPACKET] {
            let [writer, reader] = pair(kind);
            setsockopt(&writer, sockopt::SndBufForce, &(1 << 20)).unwrap();
            for _ in 0..MANY {
                write(&writer, 10);
            }
            let inode = nix::sys::stat::fstat(&reader).unwrap().st_ino;
            let rows = mount.rows("net/unix");
            let row = rows.iter().find(|row| row["inode"] == inode).unwrap();
            let exact = Value::from(10 * MANY);
            assert!(row["rqueue"] == exact || row["rqueue"].is_null(), "{row:?}");
        }
    });
}
