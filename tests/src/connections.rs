//! TCP sockets in every state, in the calling thread's net namespace.

use crate::inet::{self, Line};
use crate::netns;
use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::{
    self, AddressFamily, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::thread;
use std::time::{Duration, Instant};

mod sys;

/// The owner given to one of the sockets.
pub const OWNER: u32 = 12345;
/// The mark of the packets of one of the sockets.
pub const MARK: u32 = 0xbeef;

/// Sockets that live until dropped.
#[derive(Debug, Default)]
pub struct Connections {
    listeners: Vec<OwnedFd>,
    streams: Vec<TcpStream>,
}

impl Connections {
    /// Makes all of them. At the end the loopback interface loses what is sent.
    ///
    /// # Errors
    /// If the kernel refuses one.
    pub fn open() -> io::Result<Connections> {
        netns::run("ip link set lo up");
        let mut all = Connections::default();
        for host in ["127.0.0.1:0", "[::1]:0"] {
            all.ended(host)?;
            all.queued(host)?;
            all.half_open(host)?;
        }
        all.options()?;
        all.mapped()?;
        let losing = [all.pair("127.0.0.1:0")?, all.pair("[::1]:0")?];
        let closing = [all.pair("127.0.0.1:0")?, all.pair("[::1]:0")?];
        let listeners = [listener("127.0.0.1:0", 1)?, listener("[::1]:0", 1)?];

        netns::run("tc qdisc add dev lo root blackhole");
        for (near, far) in losing {
            (&near).write_all(&[b'l'; 777])?;
            all.streams.extend([near, far]);
        }
        for (near, far) in closing {
            near.shutdown(Shutdown::Write)?;
            all.streams.extend([near, far]);
        }
        // The other end has its FIN since before: its own makes this the last one.
        let peer = all.streams.iter().find(|stream| read_end(stream));
        peer.expect("a stream whose peer closed")
            .shutdown(Shutdown::Write)?;
        for (listener, address) in listeners {
            all.listeners.push(listener);
            all.streams.push(unanswered(address)?);
        }
        Ok(all)
    }

    /// FIN_WAIT_2 with and without an owner, CLOSE_WAIT, TIME_WAIT.
    fn ended(&mut self, host: &str) -> io::Result<()> {
        for _ in 0..2 {
            let (near, far) = self.pair(host)?;
            near.shutdown(Shutdown::Write)?;
            self.streams.extend([near, far]);
        }
        let (near, far) = self.pair(host)?;
        drop(near);
        self.streams.push(far);
        let (near, mut far) = self.pair(host)?;
        drop(near);
        let read = far.read(&mut [0])?;
        assert_eq!(read, 0, "the other end closed first");
        Ok(())
    }

    /// Connections nobody accepted, data nobody reads, a window that is full.
    fn queued(&mut self, host: &str) -> io::Result<()> {
        let (listener, address) = listener(host, 7)?;
        self.listeners.push(listener);
        for _ in 0..3 {
            let mut waiting = TcpStream::connect(address)?;
            waiting.write_all(b"nobody is there")?;
            self.streams.push(waiting);
        }
        let (mut near, mut far) = self.pair(host)?;
        near.write_all(&[b'n'; 1234])?;
        far.write_all(&[b'f'; 4321])?;
        far.read_exact(&mut [0; 321])?;
        self.streams.extend([near, far]);

        let narrow = TcpListener::bind(host)?;
        setsockopt(&narrow, sockopt::RcvBuf, &4096)?;
        let near = TcpStream::connect(narrow.local_addr()?)?;
        let far = narrow.accept()?.0;
        near.set_nonblocking(true)?;
        let full = loop {
            if let Err(error) = (&near).write(&[b'w'; 65536]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        // Once all that fits the window is acknowledged, it is probed.
        let local = near.local_addr()?;
        let end = Instant::now() + Duration::from_secs(10);
        let probed = |line: &Line| line.local == local && line.timer == "persist";
        while !inet::read("tcp").iter().any(probed) {
            assert!(Instant::now() < end, "the window never fills");
            thread::yield_now();
        }
        self.streams.extend([near, far]);
        Ok(())
    }

    /// A connection that its client alone thinks established.
    fn half_open(&mut self, host: &str) -> io::Result<()> {
        let (listener, address) = listener(host, 5)?;
        sys::defer_accept(&listener, 60)?;
        self.listeners.push(listener);
        self.streams.push(TcpStream::connect(address)?);
        Ok(())
    }

    /// What setsockopt(2) changes.
    fn options(&mut self) -> io::Result<()> {
        let (marked, far) = self.pair("127.0.0.1:0")?;
        setsockopt(&marked, sockopt::Mark, &MARK)?;
        fchown(&marked, Some(OWNER), None)?;
        self.streams.extend([marked, far]);

        for (host, name) in [
            ("127.0.0.1:0", "reno"),
            ("[::1]:0", "cubic"),
            ("[::1]:0", "reno"),
        ] {
            let (mut near, mut far) = self.pair(host)?;
            net::sockopt::set_tcp_congestion(&near, name)?;
            setsockopt(&near, sockopt::KeepAlive, &true)?;
            net::sockopt::set_tcp_keepidle(&near, Duration::from_secs(500))?;
            for _ in 0..20 {
                near.write_all(&[b'c'; 5000])?;
                far.read_exact(&mut [0; 5000])?;
                far.write_all(b"thanks")?;
                near.read_exact(&mut [0; 6])?;
            }
            self.streams.extend([near, far]);
        }
        let (bound, address) = listener("0.0.0.0:0", 3)?;
        setsockopt(&bound, sockopt::BindToDevice, &OsString::from("lo"))?;
        setsockopt(&bound, sockopt::Mark, &1)?;
        self.listeners.push(bound);
        let local = SocketAddr::from(([127, 0, 0, 1], address.port()));
        self.streams.push(TcpStream::connect(local)?);
        Ok(())
    }

    /// IPv4 through a socket of IPv6.
    fn mapped(&mut self) -> io::Result<()> {
        let (listener, address) = listener("[::]:0", 4)?;
        self.listeners.push(listener);
        let local = SocketAddr::from(([127, 0, 0, 1], address.port()));
        self.streams.push(TcpStream::connect(local)?);
        let mapped = SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().into(), 0);
        let mapped = SocketAddr::new(mapped.ip(), address.port());
        self.streams.push(TcpStream::connect(mapped)?);
        Ok(())
    }

    /// An accepted connection; its listener is gone.
    fn pair(&self, host: &str) -> io::Result<(TcpStream, TcpStream)> {
        let listener = TcpListener::bind(host)?;
        let near = TcpStream::connect(listener.local_addr()?)?;
        Ok((near, listener.accept()?.0))
    }
}

/// Whether the other end will send no more.
fn read_end(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).is_ok() && matches!(stream.peek(&mut [0]), Ok(0))
}

fn listener(host: &str, backlog: i32) -> io::Result<(OwnedFd, SocketAddr)> {
    let address: SocketAddr = host.parse().map_err(io::Error::other)?;
    let listener = stream_socket(address)?;
    bind(&listener, &address)?;
    listen(&listener, backlog)?;
    let listener = TcpListener::from(listener);
    let address = listener.local_addr()?;
    Ok((listener.into(), address))
}

/// A connection that is asked for.
fn unanswered(address: SocketAddr) -> io::Result<TcpStream> {
    let asking = stream_socket(address)?;
    let asking = TcpStream::from(asking);
    asking.set_nonblocking(true)?;
    match connect(&asking, &address) {
        Err(rustix::io::Errno::INPROGRESS) => Ok(asking),
        other => Err(io::Error::other(format!("connecting: {other:?}"))),
    }
}

fn stream_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC;
    Ok(socket_with(family, SocketType::STREAM, flags, None)?)
}
