//! Counts that do not depend on how fast a machine is, with bounds a little above what
//! they were when last looked at: more means that something got slower.

use iterfs_mapping::TableId;
use iterfs_tests::Mount;
use iterfs_tests::bench::count_calls;
use iterfs_tests::bench::reader::{PIECE, drain};
use iterfs_tests::fixtures::many_files::ManyFiles;
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::not_here::{LOOPS, needs_function, needs_member, needs_table};
use iterfs_tests::oracles::system_calls::SystemCalls;
use libc::{SYS_bpf, SYS_clock_gettime, SYS_futex, SYS_read, SYS_sched_yield};
use std::collections::BTreeMap;
use std::fs::{self, File};

/// Limits for our programs, by the kernel's name for them: how many instructions the
/// verifier looks at, and bytes of instructions once translated. They are about a fifth
/// above Linux 6.18, or a little above the kernel of docs/KERNELS.md that counts most.
const PROGRAMS: &[(&str, u64, u64)] = &[
    ("dump_tasks", 7900, 4800),
    ("dump_processes", 17250, 11850),
    ("dump_files", 9900, 7350),
    ("dump_vmas", 8850, 11600),
    ("dump_sockets", 9500, 7400),
    ("dump_tcp", 4150, 6700),
    ("dump_udp", 500, 3300),
    ("dump_unix", 1050, 3550),
    ("dump_netlink", 250, 1750),
    ("dump_ipv6_route", 350, 1750),
    ("dump_maps", 250, 1200),
    ("dump_progs", 11150, 3700),
    ("dump_links", 400, 1750),
    ("dump_cgroups", 10500, 6400),
    ("dump_ksyms", 250, 1300),
    ("dump_slabs", 400, 2200),
    ("dump_dmabufs", 100, 600),
];

/// The most that any other program may have.
const UNLISTED: (u64, u64) = (12_000, 16 * 1024);

/// What any program may have on a kernel without open-coded loops, whose verifier follows
/// every round of a loop: it gives up after a million instructions.
const WITHOUT_LOOPS: (u64, u64) = (700_000, 16 * 1024);

#[test]
fn programs_stay_small() {
    let _turn = crate::turn();
    if !needs_member(
        "bpf_prog_aux",
        "verified_insns",
        "what the verifier looks at is not counted",
    ) {
        return;
    }
    let has_loops = needs_function(LOOPS, "the limits of single programs do not apply");
    let mount = Mount::new();
    for table in TableId::all() {
        // Skip tables that need a map: their own tests load them.
        let Some(file) = iterfs_mapping::File::whole(table) else {
            continue;
        };
        let path = mount.path(&file.path());
        if path.exists() {
            File::open(path).unwrap();
        }
    }
    let ours = Daemon(mount.daemon()).ids("prog_id");
    let rows = mount.rows("bpf/progs");
    let rows = rows
        .iter()
        .filter(|row| ours.contains(&row["id"].as_u64().unwrap()));
    let nodes = possible_nodes();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for row in rows {
        seen += 1;
        let name = row["name"].as_str().unwrap();
        let found = ["verified", "translated"].map(|column| row[column].as_u64().unwrap());
        println!("(\"{name}\", {}, {}),", found[0], found[1]);
        let listed = PROGRAMS.iter().find(|(listed, ..)| *listed == name);
        let (verified, translated) = match listed {
            _ if !has_loops => WITHOUT_LOOPS,
            // The verifier knows the number of memory nodes, and follows the walk over them.
            Some(("dump_slabs", verified, translated)) => {
                (verified + 150 * (nodes - 1), *translated)
            }
            Some((_, verified, translated)) => (*verified, *translated),
            None => UNLISTED,
        };
        if found[0] > verified || found[1] > translated {
            wrong.push(format!(
                "{name}: {found:?}, at most {verified}, {translated}"
            ));
        }
    }
    assert!(seen > 10, "{seen} programs");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The number of possible memory nodes: one where the kernel lists none.
fn possible_nodes() -> u64 {
    let list = fs::read_to_string("/sys/devices/system/node/possible");
    let last = list.map_or(0, |list| {
        let last = list.trim().rsplit(['-', ',']).next().unwrap();
        last.parse().unwrap()
    });
    last + 1
}

/// The calls of each program, by its id, while statistics are on.
fn calls(daemon: u32) -> BTreeMap<u64, u64> {
    let infos = fs::read_dir(format!("/proc/{daemon}/fdinfo")).unwrap();
    let infos = infos.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    let field = |info: &str, name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix(':')?.trim().parse().ok()
    };
    infos
        .filter_map(|info| Some((field(&info, "prog_id")?, field(&info, "run_cnt")?)))
        .collect()
}

#[test]
fn a_program_is_called_once_a_row() {
    let _turn = crate::turn();
    let _processes = ManyFiles::start(50, 200);
    let _counting = count_calls().unwrap();
    for table in ["files", "tasks", "net/netlink", "bpf/progs", "kernel/ksyms"] {
        let mount = Mount::new();
        if !needs_table(&mount, table) {
            continue;
        }
        // From here on the daemon has one program loaded.
        File::open(mount.path(table)).unwrap();
        let before: u64 = calls(mount.daemon()).values().sum();
        let rows = mount.text(table).lines().count() as u64 - 1;
        let after: u64 = calls(mount.daemon()).values().sum();
        let calls = after - before;
        println!("{table}: {calls} calls, {rows} rows");
        assert!(rows > 0, "{table} is empty");
        // One call for each object, and one without; a row that did not fit into the
        // rest of the kernel's 32 KiB is written again.
        assert!(
            calls >= rows && calls <= rows + rows / 50 + 16,
            "{table}: {calls} calls for {rows} rows"
        );
    }
}

/// Calls for each of `many`, without two kinds. How often threads wait for one another
/// depends on who runs when; and reading a clock is a system call only on machines whose
/// clock cannot be read from user space, such as an emulator.
fn each(calls: &BTreeMap<i64, u64>, many: u64) -> f64 {
    let left_out = [SYS_futex, SYS_sched_yield, SYS_clock_gettime];
    let counted = calls.iter().filter(|(call, _)| !left_out.contains(call));
    counted.map(|(_, count)| *count as f64).sum::<f64>() / many as f64
}

#[test]
fn an_open_costs_few_system_calls() {
    let _turn = crate::turn();
    const OPENS: u64 = 500;
    let mount = Mount::new();
    let path = mount.path("net/netlink");
    let mut buffer = vec![0; PIECE];
    let mut open = || drain(File::open(&path).unwrap(), &mut buffer).unwrap();
    for _ in 0..50 {
        open();
    }
    let counting = SystemCalls::of(mount.daemon());
    let calls = counting.during(|| {
        for _ in 0..OPENS {
            open();
        }
    });
    let each = each(&calls, OPENS);
    println!("{each} calls an open: {calls:?}");
    // 16 where this was measured: 4 requests (open, two reads, release), each read from
    // and answered to /dev/fuse; the caller's net, pid and user namespaces, the iterator,
    // two reads of it and its end. The last two are one outside of debug builds, in which the standard
    // library looks at each descriptor that it closes.
    assert!(each < 17.0, "{each} calls an open: {calls:?}");
}

#[test]
fn a_mebibyte_costs_few_system_calls() {
    let _turn = crate::turn();
    let process = ManyFiles::start(1, 19_000);
    let mount = Mount::new();
    let path = mount.path(&process.table());
    let mut buffer = vec![0; PIECE];
    let mut read = || drain(File::open(&path).unwrap(), &mut buffer).unwrap().0;
    read();
    let counting = SystemCalls::of(mount.daemon());
    let mut bytes = 0;
    let calls = counting.during(|| {
        for _ in 0..10 {
            bytes += read();
        }
    });
    let mebibytes = bytes >> 20;
    let count = |call| calls.get(&call).copied().unwrap_or(0) as f64 / mebibytes as f64;
    let each = each(&calls, mebibytes);
    println!(
        "{each} calls a mebibyte of {mebibytes}, bpf {}, read {}: {calls:?}",
        count(SYS_bpf),
        count(SYS_read)
    );
    // 91 where this was measured: 25 reads of the kernel's 32 KiB at most, 11 requests of
    // 128 KiB at most with their answers, 12 that take memory from the kernel and give it
    // back, the scheduler's clocks, and what an open takes, of which there are ten.
    assert!(each < 110.0, "{each} calls a mebibyte: {calls:?}");
}
