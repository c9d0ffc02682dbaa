//! `bpf/progs` beside bpftool(8) and /proc/<pid>/fdinfo.

use iterfs_tests::calls::bpf_statistics;
use iterfs_tests::fixtures::clang;
use iterfs_tests::fixtures::mounted::Mounted;
use iterfs_tests::not_here::{LOOPS, needs_function, needs_tables};
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::{Mount, Row};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Two functions; the compiler does not inline the second.
const SOURCE: &str = r#"
__attribute__((noinline)) int apart(int number)
{
	asm volatile("" : "+r"(number));
	return number + 1;
}
__attribute__((section("socket"))) int filter(void *ctx)
{
	return apart(41);
}
__attribute__((section("xdp"))) int passing(void *ctx)
{
	return 2;
}
char LICENSE[] __attribute__((section("license"))) = LICENCE;
"#;

fn bpftool(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("bpftool").args(arguments).output().unwrap();
    assert!(output.status.success(), "bpftool {arguments:?}: {output:?}");
    output.stdout
}

/// Programs that stay loaded until this is dropped, pinned in a bpffs of their own.
struct Loaded(Mounted);

impl Loaded {
    fn new() -> Loaded {
        Loaded(Mounted::bpffs())
    }

    /// Compiles the source and loads it as one type; returns the program's id.
    fn load(&self, kind: &str, licence: &str) -> u64 {
        let scratch = tempfile::tempdir().unwrap();
        let [source, object] = ["program.c", "program.o"].map(|name| scratch.path().join(name));
        fs::write(&source, SOURCE).unwrap();
        clang::compile(&source, &object, &[], &[format!("-DLICENCE=\"{licence}\"")]);
        let pins = self.0.path().join(format!("{kind}{}", licence.len()));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        bpftool(&["prog", "loadall", &text(&object), &text(&pins)]);
        let pin = text(&pins.join(kind));
        let shown = bpftool(&["-j", "prog", "show", "pinned", &pin]);
        serde_json::from_slice::<Value>(&shown).unwrap()["id"]
            .as_u64()
            .unwrap()
    }
}

/// The programs that a process holds: the fields of their fdinfo by id.
fn held(pid: u32) -> HashMap<u64, HashMap<String, String>> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let infos = descriptors.filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok());
    let fields = infos.map(|info| -> HashMap<_, _> {
        let fields = info.lines().filter_map(|line| line.split_once(':'));
        fields
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
            .collect()
    });
    // A link names its program too.
    fields
        .filter(|info| info.contains_key("prog_jited"))
        .map(|info| (info["prog_id"].parse().unwrap(), info))
        .collect()
}

/// When the machine came up, in nanoseconds since the epoch.
fn boot() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let up = fs::read_to_string("/proc/uptime").unwrap();
    let up: f64 = up.split(' ').next().unwrap().parse().unwrap();
    now.as_nanos() as u64 - (up * 1e9) as u64
}

/// Columns of a program that bpftool does not show.
struct Known {
    attach: Value,
    functions: u64,
    verified: Option<u64>,
    attach_btf: Option<u64>,
}

fn compare(row: &Row, bpftool: &Row, known: &Known) {
    let loaded = bpftool["loaded_at"].as_u64().unwrap() * 1_000_000_000 - boot();
    // bpftool cuts off fractions, and so does /proc/uptime.
    let second = 1_020_000_000;
    let maps = bpftool
        .get("map_ids")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let mut columns = Columns::of(row);
    columns
        .is("id", bpftool["id"].clone())
        .is("type", bpftool["type"].clone())
        .is("name", bpftool["name"].clone())
        .is("tag", bpftool["tag"].clone())
        .is("gpl", bpftool["gpl_compatible"].clone())
        .is("attach", known.attach.clone())
        .between("loaded", loaded.saturating_sub(second), loaded + second)
        .is("uid", bpftool["uid"].clone())
        .is("translated", bpftool["bytes_xlated"].clone())
        .is("jited", bpftool["bytes_jited"].clone())
        .is("memlock", bpftool["bytes_memlock"].clone())
        .is("maps", maps)
        .is("functions", known.functions)
        .is("btf", bpftool.get("btf_id").cloned().unwrap_or(Value::Null))
        .is("attach_btf", known.attach_btf);
    // bpftool ran later, and omits values that are 0.
    let so_far = |key: &str| bpftool.get(key).and_then(Value::as_u64).unwrap_or(0);
    columns
        .between("run_time", 0, so_far("run_time_ns"))
        .between("runs", 0, so_far("run_cnt"));
    match known.verified {
        Some(verified) => columns.is("verified", verified),
        None => columns.between("verified", 1, 100),
    };
    columns.done();
}

/// The id of a function in the kernel's BTF.
fn function(btf: &str, name: &str) -> Option<u64> {
    let line = btf
        .lines()
        .find(|line| line.contains(&format!("FUNC '{name}' ")));
    line?.strip_prefix('[')?.split_once(']')?.0.parse().ok()
}

#[test]
fn programs_are_as_bpftool_has_them() {
    let mount = Mount::new();
    if !needs_tables(&mount, &["kernel/ksyms", "vmas"]) {
        return;
    }
    let targets = [
        ("tasks", "task"),
        ("net/tcp", "tcp"),
        ("kernel/ksyms", "ksym"),
        ("vmas", "task_vma"),
    ];
    for (table, _) in targets {
        mount.rows(table);
    }
    let loaded = Loaded::new();
    let ours = [
        ("filter", "GPL", 2),
        ("passing", "GPL", 1),
        ("filter", "Proprietary", 2),
    ];
    let ours = ours.map(|(kind, licence, functions)| (kind, functions, loaded.load(kind, licence)));

    mount.rows("bpf/progs");
    let held = held(mount.daemon());
    let rows = mount.rows("bpf/progs");
    let shown: Vec<Row> = serde_json::from_slice(&bpftool(&["-j", "prog", "show"])).unwrap();
    let btf = bpftool(&["btf", "dump", "file", "/sys/kernel/btf/vmlinux"]);
    let btf = String::from_utf8(btf).unwrap();

    for (kind, functions, id) in ours {
        let (row, shown) = (
            find(&rows, &[("id", id.into())]),
            find(&shown, &[("id", id.into())]),
        );
        assert_eq!(row["name"], kind);
        let attach = if kind == "passing" {
            "xdp".into()
        } else {
            row["attach"].clone()
        };
        compare(
            row,
            shown,
            &Known {
                attach,
                functions,
                verified: None,
                attach_btf: None,
            },
        );
    }
    assert!(held.len() > targets.len(), "{held:?}");
    for (&id, info) in &held {
        let (row, shown) = (
            find(&rows, &[("id", id.into())]),
            find(&shown, &[("id", id.into())]),
        );
        assert_eq!(
            Some(row["tag"].as_str().unwrap()),
            info.get("prog_tag").map(String::as_str)
        );
        let number = |key: &str| info.get(key).map(|value| value.parse::<u64>().unwrap());
        assert_eq!(row["memlock"].as_u64(), number("memlock"));
        let target = targets.iter().find(|(table, _)| {
            let name = table.rsplit('/').next().unwrap();
            row["name"] == format!("dump_{name}")
        });
        // The names of the other programs do not say what they are attached to.
        let attached = target.map(|(_, target)| function(&btf, &format!("bpf_iter_{target}")));
        compare(
            row,
            shown,
            &Known {
                attach: "trace_iter".into(),
                functions: row["functions"].as_u64().unwrap(),
                verified: number("verified_insns"),
                attach_btf: attached.unwrap_or_else(|| row["attach_btf"].as_u64()),
            },
        );
    }
}

#[test]
fn runs_are_counted_on_every_processor() {
    const RUNS: u64 = 1000;
    if !needs_function(
        LOOPS,
        "no program sums over processors: runs are not counted",
    ) {
        return;
    }
    let mount = Mount::new();
    let loaded = Loaded::new();
    let id = loaded.load("passing", "GPL");
    let packet = tempfile::NamedTempFile::new().unwrap();
    fs::write(&packet, [0; 64]).unwrap();
    let run = |processor: &str| {
        let mut command = Command::new("taskset");
        command.args([
            "-c",
            processor,
            "bpftool",
            "prog",
            "run",
            "id",
            &id.to_string(),
        ]);
        command.arg("data_in").arg(packet.path());
        let output = command
            .args(["repeat", &RUNS.to_string()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let row = || find(&mount.rows("bpf/progs"), &[("id", id.into())]).clone();
    assert_eq!((&row()["runs"], &row()["run_time"]), (&0.into(), &0.into()));

    let statistics = bpf_statistics().unwrap();
    // Processors that are offline are not in this set.
    let allowed = sched_getaffinity(Pid::this()).unwrap();
    let is_allowed = |&processor: &usize| allowed.is_set(processor).unwrap();
    let first = (0..CpuSet::count()).find(is_allowed).unwrap().to_string();
    let last = (0..CpuSet::count()).rfind(is_allowed).unwrap().to_string();
    run(&first);
    run(&last);
    run(&last);
    drop(statistics);
    let shown = bpftool(&["-j", "prog", "show", "id", &id.to_string()]);
    let shown: Row = serde_json::from_slice(&shown).unwrap();
    let row = row();
    assert_eq!(row["runs"], 3 * RUNS);
    assert_eq!(row["runs"], shown["run_cnt"]);
    assert_eq!(row["run_time"], shown["run_time_ns"]);
}
