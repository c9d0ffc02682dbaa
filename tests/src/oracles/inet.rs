//! /proc/net/{tcp,udp}{,6}: the sockets of the reading thread's net namespace.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The state, as the tables name it.
    pub state: &'static str,
    /// Bytes to be sent or acknowledged.
    pub tx: u64,
    /// Bytes to be read.
    pub rx: u64,
    /// The purpose of the next timer, as the tables name it.
    pub timer: &'static str,
    /// The ticks until it fires.
    pub when: u64,
    /// Timeouts in a row.
    pub retransmits: u64,
    /// The owner.
    pub uid: u64,
    /// The inode number.
    pub inode: u64,
    /// The references.
    pub refs: u64,
    /// The losses, which UDP alone shows.
    pub drops: Option<u64>,
}

/// The sockets of a protocol, `tcp` or `udp`, of both families.
pub fn read(protocol: &str) -> Vec<Line> {
    let family = |suffix: &str| {
        // Opened by the thread: /proc/net itself is the main thread's.
        let path = format!("/proc/thread-self/net/{protocol}{suffix}");
        let text = fs::read_to_string(&path);
        text.unwrap_or_else(|error| unreachable!("{path}: {error}"))
    };
    let (four, six) = (family(""), family("6"));
    let lines = four.lines().skip(1).chain(six.lines().skip(1));
    lines.map(Line::parse).collect()
}

impl Line {
    fn parse(line: &str) -> Line {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (tx, rx) = words[4].split_once(':').expect("two queues");
        let (timer, when) = words[5].split_once(':').expect("a timer");
        let timers = ["off", "on", "keepalive", "timewait", "persist"];
        Line {
            local: address(words[1]),
            remote: address(words[2]),
            state: state(hex(words[3])),
            tx: hex(tx),
            rx: hex(rx),
            timer: timers[hex(timer) as usize],
            when: hex(when),
            retransmits: hex(words[6]),
            uid: decimal(words[7]),
            inode: decimal(words[9]),
            refs: decimal(words[10]),
            drops: (words.len() == 13).then(|| decimal(words[12])),
        }
    }
}

fn state(number: u64) -> &'static str {
    let states = [
        "none",
        "ESTAB",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT_1",
        "FIN_WAIT_2",
        "TIME_WAIT",
        "UNCONN",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
    ];
    states[number as usize]
}

/// An address is shown as words of this machine's order, a port as a number.
fn address(text: &str) -> SocketAddr {
    let (address, port) = text.split_once(':').expect("an address and a port");
    let words = address.as_bytes().chunks(8).flat_map(|word| {
        let word = std::str::from_utf8(word).expect("hexadecimal digits");
        u32::from_str_radix(word, 16)
            .expect("hexadecimal digits")
            .to_ne_bytes()
    });
    let bytes: Vec<u8> = words.collect();
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(bytes) => IpAddr::from(Ipv4Addr::from(bytes)),
        Err(_) => {
            let bytes = <[u8; 16]>::try_from(bytes).expect("an address of 4 or 16 bytes");
            IpAddr::from(Ipv6Addr::from(bytes))
        }
    };
    SocketAddr::new(ip, hex(port) as u16)
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("a hexadecimal number")
}

fn decimal(text: &str) -> u64 {
    text.parse().expect("a number")
}
