//! /proc/<pid>/maps: the oracle for mappings.

use crate::oracles::proc;
use nix::sys::stat::makedev;
use std::fs;

/// One mapping.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// The address after its last.
    pub end: u64,
    /// Such as `r-xp`.
    pub perms: String,
    /// Where in the file it begins.
    pub offset: u64,
    /// The file's device, where there is one.
    pub dev: Option<String>,
    /// The file's inode number, where there is one.
    pub inode: Option<u64>,
    /// The path or name, as it is.
    pub path: Vec<u8>,
}

/// The mappings of a process, but for the gate that is the kernel's on x86.
pub fn read(pid: u32) -> Vec<Mapping> {
    let path = proc::process(pid).join("maps");
    let bytes = fs::read(&path).unwrap_or_else(|error| unreachable!("{path:?}: {error}"));
    let lines = bytes.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty() && !line.ends_with(b" [vsyscall]"));
    lines.map(parse).collect()
}

/// `start-end perms offset major:minor inode path`, the path after blanks.
fn parse(line: &[u8]) -> Mapping {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut field = || std::str::from_utf8(fields.next().unwrap_or_default()).expect("text");
    let hex = |text| u64::from_str_radix(text, 16).expect("a hexadecimal number");
    let (start, end) = field().split_once('-').expect("two addresses");
    let perms = field().to_owned();
    let offset = hex(field());
    let (major, minor) = field().split_once(':').expect("a device");
    let dev = makedev(hex(major), hex(minor));
    let inode = field().parse().expect("an inode number");
    let path = fields.next().unwrap_or_default().trim_ascii_start();
    Mapping {
        start: hex(start),
        end: hex(end),
        perms,
        offset,
        dev: (dev != 0).then(|| proc::device(dev)),
        inode: (inode != 0).then_some(inode),
        path: unescaped(path),
    }
}

/// A newline in a path is shown as `\012`, and nothing else is escaped.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        match rest.strip_prefix(b"\\012") {
            Some(after) => {
                plain.push(b'\n');
                rest = after;
            }
            None => {
                plain.push(first);
                rest = after;
            }
        }
    }
    plain
}
