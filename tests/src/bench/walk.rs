//! A walk of /proc/<pid>/fd: what a program does that is no BPF program.
//!
//! It prints less than `files` has: the position and the flags stand in files of
//! their own, /proc/<pid>/fdinfo/<fd>, that would have to be opened each.

use anyhow::Result;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, readlinkat, statat};
use std::io::{BufWriter, Write};

/// Prints a line for each open file of each process.
///
/// # Errors
/// If /proc cannot be read or nobody listens.
pub fn print(out: impl Write) -> Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let processes = openat(CWD, "/proc", flags, Mode::empty())?;
    let mut target = Vec::with_capacity(4096);
    for process in Dir::read_from(&processes)? {
        let process = process?;
        let Ok(pid) = process.file_name().to_str().map(str::parse::<u32>) else {
            continue;
        };
        let Ok(pid) = pid else { continue };
        let Ok(files) = openat(&processes, format!("{pid}/fd"), flags, Mode::empty()) else {
            continue;
        };
        for file in Dir::read_from(&files)? {
            let Ok(file) = file else { continue };
            let fd = file.file_name();
            // It may have been closed meanwhile, as may `.` and `..` be no files.
            let Ok(path) = readlinkat(&files, fd, std::mem::take(&mut target)) else {
                continue;
            };
            let Ok(stat) = statat(&files, fd, AtFlags::empty()) else {
                continue;
            };
            writeln!(
                out,
                "{pid:7} {:>5} {:o} {:x} {:x} {:12} {:5} {:12} {}",
                fd.to_str().unwrap_or_default(),
                stat.st_mode,
                stat.st_dev,
                stat.st_rdev,
                stat.st_ino,
                stat.st_nlink,
                stat.st_size,
                path.to_str().unwrap_or_default()
            )?;
            target = path.into_bytes();
        }
    }
    Ok(out.flush()?)
}
