//! `bpf/maps` against bpftool, with maps of the test's own making.

use iterfs_tests::fixtures::mounted::Mounted;
use iterfs_tests::fixtures::netns::run;
use iterfs_tests::not_here::needs_function;
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::wait::wait_until;
use iterfs_tests::{Mount, Row};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const TABLE: &str = "bpf/maps";

/// The references of a map that is pinned once and open nowhere: in total, and by users.
const PINNED: [u64; 2] = [1, 1];

/// The flags a map is created with, by their bits.
const FLAGS: [&str; 19] = [
    "NO_PREALLOC",
    "NO_COMMON_LRU",
    "NUMA_NODE",
    "RDONLY",
    "WRONLY",
    "STACK_BUILD_ID",
    "ZERO_SEED",
    "RDONLY_PROG",
    "WRONLY_PROG",
    "CLONE",
    "MMAPABLE",
    "PRESERVE_ELEMS",
    "INNER_MAP",
    "LINK",
    "PATH_FD",
    "VTYPE_BTF_OBJ_FD",
    "TOKEN_FD",
    "SEGV_ON_FAULT",
    "NO_USER_CONV",
];

/// A bpffs of the test's own; its maps go with it.
struct Pins(Mounted);

impl Pins {
    fn new() -> Pins {
        Pins(Mounted::bpffs())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a map and pins it; the pin's path.
    fn create(&self, name: &str, what: &str) -> PathBuf {
        let path = self.path(name);
        run(&format!(
            "bpftool map create {} type {what} name {name}",
            path.display()
        ));
        path
    }
}

/// Whether the kernel counts the elements of hash maps for programs.
static COUNTED: LazyLock<bool> =
    LazyLock::new(|| needs_function("bpf_map_sum_elem_count", "maps show no entries"));

/// The description of a pinned map by bpftool.
fn shown(path: &Path) -> Value {
    let text = run(&format!("bpftool -j map show pinned {}", path.display()));
    serde_json::from_str(&text).expect("bpftool's JSON")
}

fn compare<'a>(rows: &'a [Row], path: &Path, entries: Option<u64>, refs: [u64; 2]) -> &'a Row {
    let expected = shown(path);
    let row = find(rows, &[("id", expected["id"].clone())]);
    let bits = expected["flags"].as_u64().expect("flags");
    let flags: Vec<&str> = FLAGS
        .iter()
        .enumerate()
        .filter_map(|(bit, name)| (bits >> bit & 1 != 0).then_some(*name))
        .collect();
    Columns::of(row)
        .is("id", expected["id"].clone())
        .is("type", expected["type"].clone())
        .is("name", expected["name"].clone())
        .is("flags", flags)
        .is("key_size", expected["bytes_key"].clone())
        .is("value_size", expected["bytes_value"].clone())
        .is("max_entries", expected["max_entries"].clone())
        .is("frozen", expected["frozen"] == 1)
        .is("btf", expected.get("btf_id").cloned().unwrap_or_default())
        .is("entries", entries.filter(|_| *COUNTED))
        .is("extra", 0)
        .is("refs", refs[0])
        .is("user_refs", refs[1])
        .done();
    row
}

#[test]
fn maps_of_many_types_are_as_bpftool_has_them() {
    let mount = Mount::new();
    let pins = Pins::new();
    let maps = [
        ("hash", "hash key 4 value 8 entries 16", Some(0)),
        (
            "hash_lazy",
            "hash key 4 value 8 entries 16 flags 0x41",
            Some(0),
        ),
        (
            "hash_percpu",
            "percpu_hash key 8 value 8 entries 3",
            Some(0),
        ),
        ("hash_lru", "lru_hash key 16 value 1 entries 9", Some(0)),
        (
            "hash_lru_cpu",
            "lru_percpu_hash key 2 value 8 entries 9",
            Some(0),
        ),
        ("array", "array key 4 value 64 entries 1000", None),
        (
            "array_mapped",
            "array key 4 value 4096 entries 2 flags 0x400",
            None,
        ),
        ("array_ro", "array key 4 value 4 entries 1 flags 0x80", None),
        ("array_percpu", "percpu_array key 4 value 8 entries 2", None),
        ("programs", "prog_array key 4 value 4 entries 5", None),
        ("events", "perf_event_array key 4 value 4 entries 2", None),
        ("stacks", "stack_trace key 4 value 80 entries 8", None),
        (
            "prefixes",
            "lpm_trie key 8 value 4 entries 7 flags 0x1",
            None,
        ),
        ("sockets", "sockmap key 4 value 8 entries 4", None),
        ("socket_hash", "sockhash key 6 value 4 entries 4", None),
        ("first", "queue key 0 value 8 entries 6", None),
        ("last", "stack key 0 value 8 entries 6", None),
        ("ring", "ringbuf key 0 value 0 entries 4096", None),
        ("fifteen_letters", "hash key 4 value 4 entries 1", Some(0)),
    ];
    let paths = maps.map(|(name, what, entries)| (name, pins.create(name, what), entries));
    let rows = mount.rows(TABLE);
    for (name, path, entries) in paths {
        let row = compare(&rows, &path, entries, PINNED);
        assert_eq!(row["name"], name);
    }
}

#[test]
fn entries_are_counted_and_a_frozen_map_is_shown_so() {
    let mount = Mount::new();
    let pins = Pins::new();
    let path = pins.create("counted", "hash key 4 value 1 entries 300");
    for key in 0..5 {
        run(&format!(
            "bpftool map update pinned {} key {key} 0 0 0 value 1",
            path.display()
        ));
    }
    run(&format!(
        "bpftool map delete pinned {} key 2 0 0 0",
        path.display()
    ));
    compare(&mount.rows(TABLE), &path, Some(4), PINNED);

    run(&format!("bpftool map freeze pinned {}", path.display()));
    let rows = mount.rows(TABLE);
    assert_eq!(compare(&rows, &path, Some(4), PINNED)["frozen"], true);
}

#[test]
fn references_to_a_map_are_counted_and_its_inner_map_is_named() {
    let mount = Mount::new();
    let pins = Pins::new();
    let inner = pins.create("inner", "array key 4 value 4 entries 1");
    let outer = pins.path("outer");
    run(&format!(
        "bpftool map create {} type hash_of_maps key 4 value 4 entries 3 name outer inner_map pinned {}",
        outer.display(),
        inner.display()
    ));
    run(&format!(
        "bpftool map pin pinned {} {}",
        inner.display(),
        pins.path("twice").display()
    ));
    let rows = mount.rows(TABLE);
    compare(&rows, &inner, None, [2, 2]);
    compare(&rows, &outer, Some(0), PINNED);

    run(&format!(
        "bpftool map update pinned {} key 1 0 0 0 value pinned {}",
        outer.display(),
        inner.display()
    ));
    // A map in a map is referenced, but by no process.
    let rows = mount.rows(TABLE);
    compare(&rows, &outer, Some(1), PINNED);
    compare(&rows, &inner, None, [3, 2]);
}

#[test]
fn a_map_that_is_gone_has_no_row() {
    let mount = Mount::new();
    let pins = Pins::new();
    let path = pins.create("gone", "array key 4 value 4 entries 1");
    let id = shown(&path)["id"].clone();
    find(&mount.rows(TABLE), &[("id", id.clone())]);
    drop(pins);
    let present = |id: &Value| mount.rows(TABLE).iter().any(|row| row["id"] == *id);
    // The kernel frees a map a grace period after its last reference.
    wait_until("the map is gone", || !present(&id));
}

#[test]
fn every_map_of_bpftool_is_a_row() {
    let mount = Mount::new();
    let pins = Pins::new();
    pins.create("seen", "array key 4 value 4 entries 1");
    let ids = |text: String| -> Vec<u64> {
        let maps: Vec<Value> = serde_json::from_str(&text).expect("bpftool's JSON");
        maps.iter().filter_map(|map| map["id"].as_u64()).collect()
    };
    // Tests beside this one make and drop maps, so only those that stay count.
    let before = ids(run("bpftool -j map show"));
    let rows = mount.rows(TABLE);
    let after = ids(run("bpftool -j map show"));
    let shown: Vec<u64> = rows.iter().filter_map(|row| row["id"].as_u64()).collect();
    let stayed: Vec<&u64> = before.iter().filter(|id| after.contains(id)).collect();
    assert!(!stayed.is_empty());
    for id in stayed {
        assert!(shown.contains(id), "map {id} is missing");
    }
}
