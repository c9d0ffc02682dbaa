//! On what the figures were measured.

use rustix::system::uname;
use serde::{Deserialize, Serialize};
use std::fs;

/// A machine and its kernel.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// The processors' name.
    pub processor: String,
    /// How many there are.
    pub processors: usize,
    /// Memory in MiB.
    pub memory: u64,
    /// Processes that ran or wanted to, on average of the last minute, at the start.
    pub load: String,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or(String::new(), |(_, value)| value.trim().to_owned())
        };
        let memory = field("/proc/meminfo", "MemTotal");
        let memory = memory.split(' ').next().and_then(|kib| kib.parse().ok());
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Machine {
            kernel: uname().release().to_string_lossy().into_owned(),
            processor: field("/proc/cpuinfo", "model name"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory.unwrap_or(0u64) / 1024,
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}
