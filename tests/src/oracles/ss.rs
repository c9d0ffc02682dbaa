//! Reads what ss(8) lists: the sockets in the calling thread's net namespace.

use crate::{fixtures::netns, not_here, oracles::proc};
use nix::sys::stat::stat;
use std::collections::HashMap;
use std::process::Command;
use std::sync::LazyLock;

/// One socket of ss.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Socket {
    /// The words of its line.
    words: Vec<String>,
    /// The words that are `key:value`.
    values: HashMap<String, String>,
}

/// The IP sockets that ss lists with these options, one line each.
pub fn inet(options: &str) -> Vec<Socket> {
    let text = netns::run(&format!("ss -H -O {options}"));
    // With both protocols, each line begins with its own.
    let protocols = options.contains('t') && options.contains('u');
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((_, rest)) if protocols => Socket::parse(rest),
        _ => Socket::parse(line),
    });
    lines.collect()
}

/// The unix sockets: their names may hold a newline, or be no text at all.
pub fn unix() -> Vec<Socket> {
    let output = Command::new("ss").args(["-H", "-xane"]).output();
    let output = output.expect("ss");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let starts = text.match_indices("u_").map(|(at, _)| at);
    let starts = starts.filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n');
    let starts: Vec<usize> = starts.chain([text.len()]).collect();
    let sockets = starts.windows(2);
    sockets
        .map(|ends| text[ends[0]..ends[1]].split_once(' '))
        .map(|line| Socket::parse(line.expect("more than a type").1))
        .collect()
}

impl Socket {
    fn parse(line: &str) -> Socket {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let values = words.iter().skip(4).filter_map(|word| word.split_once(':'));
        Socket {
            values: values
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            words,
        }
    }

    /// A word by its place: state, the two queues, and what the options show.
    pub fn word(&self, index: usize) -> &str {
        &self.words[index]
    }

    /// The state, as the tables name it.
    pub fn state(&self) -> String {
        self.words[0].replace('-', "_")
    }

    /// Bytes to be read, and bytes to be sent.
    pub fn queues(&self) -> (u64, u64) {
        let number = |word: &str| word.parse().expect("a number");
        (number(&self.words[1]), number(&self.words[2]))
    }

    /// Both ends as `address:port`, without an interface, `*` for any of IPv6.
    pub fn ends(&self) -> (String, String) {
        let end = |word: &str| match (word.split_once('%'), word.rsplit_once(':')) {
            (Some((address, _)), Some((_, port))) => format!("{address}:{port}"),
            _ => word.replace("[::]:", "*:"),
        };
        (end(&self.words[3]), end(&self.words[4]))
    }

    /// The interface that it is bound to.
    pub fn interface(&self) -> Option<u64> {
        let (_, bound) = self.words[3].split_once('%')?;
        let (name, _) = bound.rsplit_once(':')?;
        let link = netns::run(&format!("ip -o link show dev {}", name.trim_matches(']')));
        link.split_once(':')?.0.parse().ok()
    }

    /// The inode numbers of a unix socket and of its peer: `NAME inode * peer`.
    pub fn inodes(&self) -> (u64, u64) {
        let at = (5..self.words.len()).find(|&at| {
            let number = |at: usize| self.words.get(at)?.parse::<u64>().ok();
            self.words[at] == "*" && number(at - 1).is_some() && number(at + 1).is_some()
        });
        let at = at.unwrap_or_else(|| unreachable!("no inodes in {:?}", self.words));
        let number = |at: usize| self.words[at].parse().expect("a number");
        (number(at - 1), number(at + 1))
    }

    /// Whether it is one of unix(7).
    pub fn is_unix(&self) -> bool {
        !self.values.contains_key("ino") || self.words[4].parse::<u64>().is_ok()
    }

    /// Its line from the ends on.
    pub fn details(&self) -> String {
        self.words[5..].join(" ")
    }

    /// Whether a bare word stands among the details.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// A number among the details.
    pub fn number(&self, key: &str) -> Option<u64> {
        Some(self.values.get(key)?.parse().expect("a number"))
    }

    /// A hexadecimal number among the details.
    pub fn hex(&self, key: &str) -> Option<u64> {
        let value = self.values.get(key)?;
        let digits = value.strip_prefix("0x").unwrap_or(value);
        Some(u64::from_str_radix(digits, 16).expect("hexadecimal digits"))
    }

    /// Both parts of `key:a/b`, in thousandths.
    pub fn pair(&self, key: &str) -> Option<(u64, u64)> {
        let (first, second) = self.values.get(key)?.split_once('/')?;
        let thousandths = |text: &str| {
            let number: f64 = text.parse().expect("a number");
            (number * 1000.0).round() as u64
        };
        Some((thousandths(first), thousandths(second)))
    }

    /// A number of the socket's memory, such as `d` for drops.
    pub fn memory(&self, key: &str) -> Option<u64> {
        let memory = self.values.get("skmem")?;
        let mut parts = memory.trim_matches(['(', ')']).split(',');
        let part = parts.find_map(|part| part.strip_prefix(key)?.parse().ok());
        Some(part.unwrap_or_else(|| unreachable!("no {key} in {memory}")))
    }

    /// The id of its cgroup; none on a kernel that keeps it where programs cannot tell
    /// it from other data (before 5.15).
    pub fn cgroup(&self) -> Option<u64> {
        static SHOWN: LazyLock<bool> = LazyLock::new(|| {
            not_here::needs_member("sock_cgroup_data", "cgroup", "sockets show no cgroup")
        });
        if !*SHOWN {
            return None;
        }
        let path = self.values.get("cgroup")?.strip_prefix('/')?;
        let directory = proc::cgroup_root().join(path);
        Some(stat(&directory).expect("the cgroup's directory").st_ino)
    }
}
