//! Links pinned in bpffs, read as any file.

use iterfs_bpf::{Kernel, Programs};
use iterfs_mapping::{Instance, Parameter, Place, TableId};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A bpffs of its own, with links that print text; both go when dropped.
pub struct Pins {
    directory: TempDir,
    kernel: Kernel,
}

impl Pins {
    /// An empty one.
    pub fn new() -> Pins {
        let directory = tempfile::Builder::new()
            .prefix("iterfs-test-bpffs-")
            .tempdir()
            .expect("a directory to mount on");
        let none: Option<&str> = None;
        mount(
            none,
            directory.path(),
            Some("bpf"),
            MsFlags::empty(),
            Some("mode=0755"),
        )
        .expect("a bpffs");
        Pins {
            directory,
            kernel: Kernel::new().expect("a kernel with BTF"),
        }
    }

    /// Pins the link of a table, by its path in the tree such as `net/tcp` or
    /// `pid/1/files`; the pin's path.
    pub fn pin(&self, table: &str) -> PathBuf {
        let link = self
            .kernel
            .link_as_text(instance(table))
            .unwrap_or_else(|error| unreachable!("{table}: {error}"));
        // A name in bpffs has no dot, and here no directory.
        let path = self.directory.path().join(table.replace('/', "_"));
        pin(&link, &path);
        path
    }

    /// Pins a table and reads the pin by cat.
    pub fn text(&self, table: &str) -> Vec<u8> {
        cat(&self.pin(table))
    }
}

impl Default for Pins {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = umount2(self.directory.path(), MntFlags::MNT_DETACH);
    }
}

/// What a path in the tree stands for.
fn instance(path: &str) -> Instance {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (place, parameter) = match directory.split_once('/') {
        Some(("pid", process)) => {
            let process = process.parse().expect("a process id");
            (Place::Process, Parameter::Process(process))
        }
        _ => {
            let place = match directory {
                "" => Place::Root,
                "net" => Place::Net,
                "bpf" => Place::Bpf,
                "kernel" => Place::Kernel,
                other => unreachable!("{other} holds no table that can be pinned"),
            };
            (place, Parameter::None)
        }
    };
    let table = TableId::find(place, name).expect("a table");
    Instance { table, parameter }
}

fn pin(link: &OwnedFd, path: &Path) {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", link.as_raw_fd()))
        .expect("a link's descriptor");
    let id = info.lines().find_map(|line| line.strip_prefix("link_id:"));
    let output = Command::new("bpftool")
        .args(["link", "pin", "id", id.expect("a link's id").trim()])
        .arg(path)
        .output()
        .expect("bpftool");
    assert!(output.status.success(), "{output:?}");
}

/// The bytes of a file, read by cat.
pub fn cat(path: &Path) -> Vec<u8> {
    let output = Command::new("cat").arg(path).output().expect("cat");
    assert!(output.status.success(), "{}: {output:?}", path.display());
    output.stdout
}
