//! /proc/net/unix: the unix sockets of the reading thread's net namespace.

use std::fs;
use std::path::Path;

/// One socket.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The references.
    pub refs: u64,
    /// The kind of socket, as the tables name it.
    pub kind: &'static str,
    /// The state, as the tables name it.
    pub state: &'static str,
    /// The inode number.
    pub inode: u64,
    /// The name, as it stands there: with an abstract name's NULs as @.
    pub path: Vec<u8>,
}

/// All sockets.
pub fn read() -> Vec<Line> {
    // Opened by the thread: /proc/net itself is the main thread's.
    let path = Path::new("/proc/thread-self/net/unix");
    let bytes = fs::read(path).unwrap_or_else(|error| unreachable!("{path:?}: {error}"));
    let mut records: Vec<Vec<u8>> = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n').skip(1) {
        // A name may hold a newline: only what begins with an address is a new one.
        match records.last_mut() {
            Some(last) if !begins(line) => {
                last.push(b'\n');
                last.extend(line);
            }
            _ => records.push(line.to_vec()),
        }
    }
    if let Some(last) = records.last_mut() {
        assert_eq!(last.pop(), Some(b'\n'), "the file ends a line");
    }
    records.iter().map(|record| parse(record)).collect()
}

fn begins(line: &[u8]) -> bool {
    let address = line.get(..17).and_then(|front| front.split_last());
    address.is_some_and(|(&last, digits)| last == b':' && digits.iter().all(u8::is_ascii_hexdigit))
}

/// `Num: RefCount Protocol Flags Type St Inode Path`
fn parse(record: &[u8]) -> Line {
    let mut fields = record.splitn(8, |&byte| byte == b' ').skip(1);
    let mut word = || String::from_utf8_lossy(fields.next().expect("a field")).into_owned();
    let hex = |text: String| u64::from_str_radix(&text, 16).expect("a hexadecimal number");
    let refs = hex(word());
    let (_protocol, flags) = (word(), hex(word()));
    let kind = match hex(word()) {
        1 => "stream",
        2 => "dgram",
        5 => "seqpacket",
        other => unreachable!("unix sockets of type {other}"),
    };
    let state = match (flags, hex(word())) {
        (0x10000, _) => "LISTEN",
        // 4 and 2 once nobody has it, or has not yet.
        (_, 1 | 4) => "UNCONN",
        (_, 2 | 3) => "ESTAB",
        other => unreachable!("a unix socket that is {other:?}"),
    };
    // The inode number is padded on its left.
    let rest = &record[52..];
    let start = rest
        .iter()
        .position(|&byte| byte != b' ')
        .expect("an inode");
    let rest = &rest[start..];
    let end = rest
        .iter()
        .position(|&byte| byte == b' ')
        .unwrap_or(rest.len());
    let inode = std::str::from_utf8(&rest[..end]).expect("digits");
    Line {
        refs,
        kind,
        state,
        inode: inode.parse().expect("an inode number"),
        path: rest.get(end + 1..).unwrap_or_default().to_vec(),
    }
}
