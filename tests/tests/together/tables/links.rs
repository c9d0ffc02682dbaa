//! `bpf/links` beside `bpftool link`.

use iterfs_tests::not_here::needs_table;
use iterfs_tests::{Mount, Row};
use std::collections::HashSet;
use std::fs;
use std::process::Command;

/// The links that a process holds by descriptors, by id (proc_pid_fdinfo(5)).
fn held_links(pid: u32) -> HashSet<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    descriptors
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok())
        .filter_map(|info| {
            let id = info
                .lines()
                .find_map(|line| line.strip_prefix("link_id:"))?;
            id.trim().parse().ok()
        })
        .collect()
}

fn bpftool_links() -> Vec<Row> {
    let output = Command::new("bpftool")
        .args(["-j", "link", "show"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn links_are_those_bpftool_lists() {
    let mount = Mount::new();
    if !needs_table(&mount, "bpf/links") {
        return;
    }
    for table in ["tasks", "files", "net/netlink", "bpf/maps"] {
        mount.rows(table);
    }
    mount.rows("bpf/links");
    // Links of other processes come and go; the daemon's stay.
    let ours = held_links(mount.daemon());
    assert!(ours.len() >= 5, "{ours:?}");

    let bpftool = bpftool_links();
    let rows = mount.rows("bpf/links");
    for id in ours {
        let with_id = |links: &[Row]| links.iter().find(|link| link["id"] == id).cloned();
        let theirs = with_id(&bpftool).expect("bpftool lists the link");
        let row = with_id(&rows).expect("the table has the link");
        assert_eq!(row["type"], theirs["type"]);
        assert_eq!(row["program"], theirs["prog_id"]);
        assert_eq!(row["target"], theirs["target_name"]);
        assert_eq!(row["attach"], "trace_iter");
    }
}
