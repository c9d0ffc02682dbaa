//! The mount table of a thread's mount namespace.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
#[derive(Debug, PartialEq)]
pub(super) struct Mounted {
    /// The mount's id, which statx(2) returns as `stx_mnt_id`. The kernel reuses ids.
    pub(super) id: u64,
    /// The filesystem's device, as `major:minor`.
    pub(super) device: String,
    /// The directory that it is mounted on.
    pub(super) directory: PathBuf,
    /// The filesystem's type, with its subtype: `fuse.iterfs`.
    pub(super) filesystem: String,
}

/// The mount table of the namespace that a thread is in.
pub(super) struct Mounts {
    /// This process's `/proc`. The one of another namespace may not show this process.
    pub(super) proc: OwnedFd,
}

impl Mounts {
    /// All mounts in the kernel's order: the lowest one on a directory comes first.
    pub(super) fn all(&self) -> io::Result<Vec<Mounted>> {
        entries(&mut self.open()?)
    }

    /// Waits, at most for `patience`, until no mount is left for which `holds` is true.
    /// Returns whether one is left.
    pub(super) fn wait_while(
        &self,
        holds: impl Fn(&Mounted) -> bool,
        patience: Duration,
    ) -> io::Result<bool> {
        let deadline = Instant::now() + patience;
        let mut file = self.open()?;
        loop {
            if !entries(&mut file)?.iter().any(&holds) {
                return Ok(false);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(true);
            }
            // The kernel reports an exceptional condition if the table has changed since it
            // was opened or polled.
            let mut changed = [PollFd::new(&file, PollFlags::PRI)];
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            match poll(&mut changed, Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            file.rewind()?;
        }
    }

    fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let path = "thread-self/mountinfo";
        let file = rustix::fs::openat(&self.proc, path, flags, Mode::empty())?;
        Ok(File::from(file))
    }
}

fn entries(table: &mut File) -> io::Result<Vec<Mounted>> {
    let mut text = Vec::new();
    table.read_to_end(&mut text)?;
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(parse_line).collect())
}

fn parse_line(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = text(fields.next()?).parse().ok()?;
    let device = text(fields.nth(1)?);
    let directory = unescape(fields.nth(1)?);
    let filesystem = text(fields.skip_while(|field| *field != b"-").nth(1)?);
    Some(Mounted {
        id,
        device,
        directory,
        filesystem,
    })
}

/// The directories that an iterfs is mounted on, as this process sees them. The lowest
/// mount on a directory comes first.
pub fn directories_of_iterfs() -> io::Result<Vec<PathBuf>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    let mounts = table.split(|byte| *byte == b'\n').filter_map(parse_line);
    let ours = mounts.filter(|mounted| mounted.filesystem == super::FILESYSTEM);
    Ok(ours.map(|mounted| mounted.directory).collect())
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

/// Undoes the `\ooo` that the kernel writes for blanks and backslashes. The crate procfs
/// 0.18 leaves them in paths, and reads no table with a path that is not UTF-8.
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
    use crate::mount::Namespace;
    use crate::mount::directory::Directory;
    use std::path::Path;

    #[test]
    fn mountinfo_lines_are_parsed() {
        let line =
            br"36 35 98:0 / /mnt/a\040b rw,noatime master:1 shared:2 - fuse.iterfs iterfs rw";
        let mounted = Mounted {
            id: 36,
            device: "98:0".into(),
            directory: "/mnt/a b".into(),
            filesystem: "fuse.iterfs".into(),
        };
        assert_eq!(parse_line(line), Some(mounted));
        assert_eq!(parse_line(b"36 35 98:0 / /mnt rw"), None);
        assert_eq!(parse_line(b""), None);
    }

    #[test]
    fn directories_are_found_in_the_mount_table() {
        let look =
            |mounts: &Mounts| Ok((mounts.all(), Directory::open(Path::new("/proc"), mounts)));
        let (all, proc) = Namespace::default().enter(look).unwrap();
        let (all, proc) = (all.unwrap(), proc.unwrap());
        let mounted = all.iter().find(|mounted| mounted.id == proc.mount_id);
        let mounted = mounted.unwrap();
        assert_eq!(mounted.filesystem, "proc");
        assert_eq!(mounted.device, proc.identity.device);
        assert_eq!(mounted.directory, Path::new("/proc"));
    }

    #[test]
    fn waiting_for_a_mount_that_stays_times_out() {
        let wait = |holds: fn(&Mounted) -> bool| {
            let wait = |mounts: &Mounts| Ok(mounts.wait_while(holds, Duration::from_millis(20)));
            Namespace::default().enter(wait).unwrap().unwrap()
        };
        assert!(wait(|mounted| mounted.filesystem == "proc"));
        assert!(!wait(|mounted| mounted.filesystem == "no such"));
    }
}
