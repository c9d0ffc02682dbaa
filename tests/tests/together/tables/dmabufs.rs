//! `kernel/dmabufs` beside the kernel's own list, and a buffer made for the test.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::dmabuf::buffer;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::columns::{Columns, find};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

/// debugfs at a place of the test's own.
struct Debugfs(TempDir);

impl Debugfs {
    fn new() -> Debugfs {
        let directory = tempfile::tempdir().unwrap();
        let kind = Some("debugfs");
        mount(kind, directory.path(), kind, MsFlags::empty(), None::<&str>).unwrap();
        Debugfs(directory)
    }

    /// The objects in the kernel's list: `size flags mode count exporter inode name`.
    fn buffers(&self) -> Vec<(u64, String, u64)> {
        let path = self.0.path().join("dma_buf/bufinfo");
        let text = fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let objects = lines.filter(|words| words.len() >= 6 && words[0].parse::<u64>().is_ok());
        objects
            .map(|words| {
                (
                    words[0].parse().unwrap(),
                    words[4].to_owned(),
                    words[5].parse().unwrap(),
                )
            })
            .collect()
    }
}

impl Drop for Debugfs {
    fn drop(&mut self) {
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

#[test]
fn buffers_are_those_of_the_kernels_list() {
    let mount = Mount::new();
    if !needs_table(&mount, "kernel/dmabufs") {
        return;
    }
    // A kernel that cannot make a buffer from memory has only those of its devices,
    // mostly none. The table is there all the same.
    let made = buffer();
    let debugfs = Debugfs::new();
    let rows = mount.rows("kernel/dmabufs");
    let buffers = debugfs.buffers();
    assert_eq!(rows.len(), buffers.len());
    for (size, exporter, inode) in buffers {
        let row = find(&rows, &[("inode", inode.into())]);
        let mut columns = Columns::of(row);
        columns
            .is("inode", inode)
            .is("size", size)
            .is("exporter", exporter);
        columns.is("name", Value::Null).done();
    }
    if let Some(workload) = made {
        let inode = workload.fact("inode").clone();
        assert_eq!(find(&rows, &[("inode", inode)])["size"], 8192);
    }
    assert!(
        mount.text("kernel/dmabufs").starts_with(' '),
        "a header comes first"
    );
}
