//! The mount table, as a thread's mount namespace has it.

use super::FILESYSTEM;
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, PartialEq)]
pub(super) struct Mounted {
    pub(super) device: String,
    pub(super) directory: PathBuf,
    pub(super) filesystem: String,
}

/// The device of what a path leads to, as the mount table writes it. The server
/// of a FUSE mount is not asked: it may not have begun, or be about to end.
pub(super) fn device(directory: &Path) -> rustix::io::Result<String> {
    let status = rustix::fs::statx(
        rustix::fs::CWD,
        directory,
        AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT,
        StatxFlags::empty(),
    )?;
    Ok(format!("{}:{}", status.stx_dev_major, status.stx_dev_minor))
}

/// The mount table of the namespace that a thread is in.
pub(super) struct Mounts {
    /// This process's `/proc`. That of another namespace may not know us.
    pub(super) proc: OwnedFd,
}

impl Mounts {
    /// What is mounted on a directory.
    pub(super) fn of(&self, directory: &Path) -> impl Iterator<Item = Mounted> {
        let table = self.read().unwrap_or_default();
        let lines: Vec<_> = table
            .split(|byte| *byte == b'\n')
            .filter_map(parse_line)
            .filter(|mounted| mounted.directory == directory)
            .collect();
        lines.into_iter()
    }

    /// Whether what a directory's path leads to is an iterfs mounted there.
    pub(super) fn uppermost_is_ours(&self, directory: &Path) -> bool {
        device(directory).is_ok_and(|device| {
            self.of(directory)
                .any(|mounted| mounted.device == device && mounted.filesystem == FILESYSTEM)
        })
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let path = "thread-self/mountinfo";
        let file = rustix::fs::openat(&self.proc, path, flags, Mode::empty())?;
        let mut table = Vec::new();
        fs::File::from(file).read_to_end(&mut table)?;
        Ok(table)
    }
}

fn parse_line(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = text(fields.nth(2)?);
    let directory = unescape(fields.nth(1)?);
    let filesystem = text(fields.skip_while(|field| *field != b"-").nth(1)?);
    Some(Mounted {
        device,
        directory,
        filesystem,
    })
}

/// The directories that an iterfs is mounted on, as this process sees them; the lowest on
/// a directory comes first.
pub(crate) fn directories_of_iterfs() -> io::Result<Vec<PathBuf>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    let mounts = table.split(|byte| *byte == b'\n').filter_map(parse_line);
    let ours = mounts.filter(|mounted| mounted.filesystem == super::FILESYSTEM);
    Ok(ours.map(|mounted| mounted.directory).collect())
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

/// Undoes the `\ooo` that the kernel writes for blanks and backslashes.
fn unescape(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) => {
                path.push(byte);
                rest = &after[3..];
            }
            None => {
                path.push(first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mountpoint::Namespace;

    #[test]
    fn mountinfo_lines_are_read() {
        let line =
            br"36 35 98:0 / /mnt/a\040b rw,noatime master:1 shared:2 - fuse.iterfs iterfs rw";
        let mounted = Mounted {
            device: "98:0".into(),
            directory: "/mnt/a b".into(),
            filesystem: "fuse.iterfs".into(),
        };
        assert_eq!(parse_line(line), Some(mounted));
        assert_eq!(parse_line(b"36 35 98:0 / /mnt rw"), None);
        assert_eq!(parse_line(b""), None);
    }

    #[test]
    fn devices_are_written_as_in_the_mount_table() {
        let mounts = |mounts: &Mounts| Ok(mounts.of(Path::new("/proc")).collect::<Vec<_>>());
        let mounted = Namespace::default().enter(mounts).unwrap();
        let device = device(Path::new("/proc")).unwrap();
        assert!(mounted.iter().any(|mounted| mounted.device == device));
    }
}
