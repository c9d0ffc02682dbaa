//! `net/netlink` against /proc/net/netlink.

use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::fixtures::workload::{Workload, netlink};
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::{Mount, Row, oracles::proc};
use nix::libc;
use nix::sys::stat::stat;
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

const TABLE: &str = "net/netlink";

/// The protocols by their numbers, as far as kernels here may have them.
const PROTOCOLS: [&str; 23] = [
    "ROUTE",
    "UNUSED",
    "USERSOCK",
    "FIREWALL",
    "SOCK_DIAG",
    "NFLOG",
    "XFRM",
    "SELINUX",
    "ISCSI",
    "AUDIT",
    "FIB_LOOKUP",
    "CONNECTOR",
    "NETFILTER",
    "IP6_FW",
    "DNRTMSG",
    "KOBJECT_UEVENT",
    "GENERIC",
    "17",
    "SCSITRANSPORT",
    "ECRYPTFS",
    "RDMA",
    "CRYPTO",
    "SMC",
];

/// The lines of /proc/net/netlink, in this thread's net namespace.
fn oracle() -> Vec<Vec<String>> {
    let text = fs::read_to_string("/proc/thread-self/net/netlink").expect("a table of sockets");
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    text.lines().skip(1).map(fields).collect()
}

/// Reads the table while /proc's stays the same.
fn quiet(mount: &Mount) -> (Vec<Row>, Vec<Vec<String>>) {
    let (_, rows, lines) = steadily(oracle, || mount.rows(TABLE), PartialEq::eq);
    (rows, lines)
}

/// The owners of the sockets that processes have open, by inode: /proc's table does
/// not say, but the sockets' own attributes do.
fn owners() -> HashMap<u64, u32> {
    let processes = proc::numbers(Path::new("/proc"));
    let directories = processes
        .into_iter()
        .map(|pid| proc::process(pid).join("fd"));
    directories
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|entry| stat(&entry.ok()?.path()).ok())
        .filter(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFSOCK)
        .map(|stat| (stat.st_ino, stat.st_uid))
        .collect()
}

/// Sockets of the kernel are root's. Nothing is known about a socket that was closed.
fn owner(owners: &HashMap<u64, u32>, row: &Row) -> Value {
    match row["inode"].as_u64() {
        None => 0.into(),
        Some(inode) => owners
            .get(&inode)
            .map_or(row["uid"].clone(), |&uid| uid.into()),
    }
}

fn compare(rows: &[Row], lines: &[Vec<String>], owners: &HashMap<u64, u32>) {
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(lines) {
        let number = |index: usize| line[index].parse::<u64>().expect("a number");
        let groups = u32::from_str_radix(&line[3], 16).expect("a bit mask");
        let inode = Some(number(9)).filter(|&inode| row["inode"] != Value::Null || inode != 0);
        let mut columns = Columns::of(row);
        columns
            .is("protocol", PROTOCOLS[number(1) as usize])
            .is("portid", number(2))
            .is("groups", format!("{groups:#x}"))
            .is("rmem", number(4))
            .is("wmem", number(5))
            .is("dump", number(6) != 0)
            .is("refs", number(7))
            .is("drops", number(8))
            .is("inode", inode)
            .is("uid", owner(owners, row))
            .done();
    }
}

#[test]
fn the_hosts_sockets_are_as_proc_has_them() {
    let mount = Mount::new();
    let _workload = Workload::start("netlink", &[]);
    let (rows, lines) = quiet(&mount);
    assert!(rows.len() > 5);
    compare(&rows, &lines, &owners());
}

#[test]
fn the_sockets_of_a_new_namespace_are_as_proc_has_them() {
    let mount = Mount::new();
    let host = mount.rows(TABLE);
    in_new_net_namespace(|| {
        // More addresses than fit into one message, so that a dump takes several.
        let batch = tempfile::NamedTempFile::new().expect("a file");
        let add = |host: u32| format!("address add 10.0.0.{host}/32 dev lo\n");
        let addresses: String = (1..250).map(add).collect();
        fs::write(batch.path(), addresses).expect("a batch of commands");
        run(&format!("ip -batch {}", batch.path().display()));

        let workload = Workload::start("netlink", &[]);
        let (rows, lines) = quiet(&mount);
        compare(&rows, &lines, &owners());

        let row = |name: &str| {
            let fd = workload.number(name);
            let path = format!("/proc/{}/fd/{fd}", workload.pid());
            let inode = stat(path.as_str()).expect("an open socket").st_ino;
            let row = find(&rows, &[("inode", inode.into())]);
            assert_eq!(row["portid"], *workload.fact(&format!("{name}_port")));
            row
        };
        let groups = |mask: u32| Value::from(format!("{mask:#x}"));
        assert_eq!(row("route")["protocol"], "ROUTE");
        assert_eq!(row("route")["groups"], groups(netlink::ROUTE_GROUPS));
        assert_eq!(row("uevent")["protocol"], "KOBJECT_UEVENT");
        assert_eq!(row("uevent")["groups"], groups(netlink::UEVENT_GROUPS));
        assert_eq!(row("generic")["protocol"], "GENERIC");
        assert_eq!(row("generic")["dump"], false);
        assert!(row("flooded")["drops"].as_u64() > Some(0));
        assert!(row("flooded")["rmem"].as_u64() > Some(0));
        assert_eq!(row("dumping")["dump"], true);

        let others = host.iter().filter(|row| !row["inode"].is_null());
        for other in others {
            assert!(rows.iter().all(|row| row["inode"] != other["inode"]));
        }
    });
}

#[test]
fn a_socket_belongs_to_the_user_that_made_it() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(directory.path(), mode).unwrap();
    let program = directory.path().join("workload");
    Workload::copy_program(&program);
    let mut command = std::process::Command::new("setpriv");
    command.args(["--clear-groups", "--reuid=3001", "--regid=3002"]);
    command.arg(&program).arg("netlink");
    let workload = Workload::from_command(command);
    let rows = mount.rows(TABLE);
    let generic = [
        ("protocol", "GENERIC".into()),
        ("portid", workload.fact("generic_port").clone()),
    ];
    assert_eq!(find(&rows, &generic)["uid"], 3001);
}
