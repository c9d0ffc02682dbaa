//! The columns expected of sockets that a test holds.

use crate::oracles::columns::Columns;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

/// The values that all tables of sockets in maps show.
#[derive(Debug)]
pub struct Facts {
    /// Such as `inet`.
    pub family: &'static str,
    /// Such as `stream`.
    pub kind: &'static str,
    /// The protocol's number.
    pub protocol: u32,
    /// Such as `ESTAB`.
    pub state: &'static str,
    /// This end, where the socket is of IP.
    pub local: Option<SocketAddr>,
    /// The other end, where there is one.
    pub remote: Option<SocketAddr>,
}

impl Facts {
    /// The facts of a TCP connection.
    pub fn of_stream(stream: &TcpStream) -> Facts {
        let local = stream.local_addr().expect("an address");
        Facts {
            family: if local.is_ipv4() { "inet" } else { "inet6" },
            kind: "stream",
            protocol: libc::IPPROTO_TCP as u32,
            state: "ESTAB",
            local: Some(local),
            remote: Some(stream.peer_addr().expect("a peer's address")),
        }
    }

    /// Compares the columns that are a socket's, of one that this thread made.
    pub fn compare(&self, socket: &impl AsFd, columns: &mut Columns) {
        let ip = |end: Option<SocketAddr>| end.map(|end| end.ip().to_string());
        let port = |end: Option<SocketAddr>| end.map(|end| end.port());
        columns
            .is("family", self.family)
            .is("type", self.kind)
            .is("protocol", self.protocol)
            .is("state", self.state)
            .is("local", ip(self.local))
            .is("local_port", port(self.local))
            .is("remote", ip(self.remote))
            .is("remote_port", port(self.remote))
            .is("uid", nix::unistd::geteuid().as_raw())
            .is("inode", inode(socket))
            .is("netns", number(&link("/proc/thread-self/ns/net")));
    }
}

/// Both ends of a TCP connection on this address.
pub fn pair(host: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(host).expect("a listening socket");
    let near = TcpStream::connect(listener.local_addr().expect("an address"));
    (
        near.expect("a connection"),
        listener.accept().expect("its other end").0,
    )
}

/// A socket's inode number, as /proc has it.
pub fn inode(socket: &impl AsFd) -> u64 {
    let fd = socket.as_fd().as_raw_fd();
    number(&link(&format!("/proc/self/fd/{fd}")))
}

fn link(path: &str) -> String {
    let target = fs::read_link(path).expect("a link of /proc");
    target.to_string_lossy().into_owned()
}

/// The number in `socket:[123]`.
fn number(name: &str) -> u64 {
    let digits = name.split(['[', ']']).nth(1);
    digits.and_then(|digits| digits.parse().ok()).expect(name)
}
