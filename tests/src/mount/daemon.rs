//! A mount's daemon, as /proc shows it.

use crate::oracles::proc;
use std::fs;
use std::path::Path;

/// The daemon of a mount, looked at from outside.
#[derive(Clone, Copy, Debug)]
pub struct Daemon(pub u32);

impl Daemon {
    /// A number of `/proc/<pid>/status`, such as `VmHWM` (in KiB) or `Threads`.
    pub fn status(self, name: &str) -> u64 {
        let status = self.file("status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .expect("a field of that name");
        let number = line.split_whitespace().next().expect("a value");
        number.parse().expect("a number")
    }

    /// Whether it has not ended yet, waited for or not.
    pub fn is_running(self) -> bool {
        fs::read(format!("/proc/{}/cmdline", self.0)).is_ok_and(|line| !line.is_empty())
    }

    /// Clock ticks it has run for.
    pub fn ticks(self) -> u64 {
        let stat = self.file("stat");
        let (_, after_name) = stat.rsplit_once(") ").expect("a name in parentheses");
        // utime and stime are the fields 14 and 15, the state is the third.
        after_name
            .split(' ')
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("a number"))
            .sum()
    }

    /// The processes that it has started and not yet waited for.
    pub fn children(self) -> Vec<u32> {
        proc::numbers(Path::new("/proc"))
            .into_iter()
            .filter(|pid| {
                let stat = proc::Stat::read(&proc::process(*pid));
                // The fourth field is the parent (proc_pid_stat(5)).
                stat.is_ok_and(|stat| stat.number(4) == i64::from(self.0))
            })
            .collect()
    }

    /// The targets of its descriptors.
    pub fn descriptors(self) -> Vec<String> {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.0)).expect("a daemon");
        descriptors
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .map(|target| target.to_string_lossy().into_owned())
            .collect()
    }

    /// Iterators it has open.
    pub fn iterators(self) -> usize {
        self.descriptors()
            .iter()
            .filter(|target| target.contains("bpf_iter"))
            .count()
    }

    /// Ids of a kind (`link_id`, `prog_id`, `map_id`) among its descriptors.
    pub fn ids(self, kind: &str) -> Vec<u64> {
        let infos = fs::read_dir(format!("/proc/{}/fdinfo", self.0)).expect("a daemon");
        let infos = infos.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
        let mut ids: Vec<u64> = infos
            .filter_map(|info| {
                let line = info.lines().find(|line| line.starts_with(kind))?;
                line.split_once(':')?.1.trim().parse().ok()
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn file(self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0)).expect("a daemon")
    }
}
