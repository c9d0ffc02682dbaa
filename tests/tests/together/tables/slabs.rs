//! `kernel/slabs` beside /proc/slabinfo and /sys/kernel/slab.

use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::columns::Columns;
use iterfs_tests::{Mount, Row};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// Flags of a cache that sysfs shows as files with 0 or 1.
const FLAGS: [&str; 4] = [
    "hwcache_align",
    "reclaim_account",
    "destroy_by_rcu",
    "cache_dma",
];

/// The numbers of a line of /proc/slabinfo (slabinfo(5)).
#[derive(Clone, Debug)]
struct Info {
    objects: u64,
    object_size: u64,
    objects_per_slab: u64,
    pages_per_slab: u64,
    slabs: u64,
}

/// All caches: several may share a name, so a name has a list.
fn slabinfo() -> BTreeMap<String, Vec<Info>> {
    let text = fs::read_to_string("/proc/slabinfo").unwrap();
    let mut caches = BTreeMap::<_, Vec<_>>::new();
    for line in text.lines().skip(2) {
        // A name may hold blanks; the numbers before the colons do not.
        let (front, rest) = line.split_once(" : tunables").unwrap();
        let words: Vec<_> = front.split_whitespace().collect();
        let (name, numbers) = words.split_at(words.len() - 5);
        let data: Vec<_> = rest.split_whitespace().collect();
        let number = |word: &str| word.parse().unwrap();
        caches.entry(name.join(" ")).or_default().push(Info {
            objects: number(numbers[1]),
            object_size: number(numbers[2]),
            objects_per_slab: number(numbers[3]),
            pages_per_slab: number(numbers[4]),
            slabs: number(data[data.len() - 2]),
        });
    }
    caches
}

/// The directory of a cache in sysfs; merged ones have several names for it.
fn sysfs(name: &str) -> Option<PathBuf> {
    let path = Path::new("/sys/kernel/slab").join(name);
    path.is_dir().then_some(path)
}

/// A number, which may be followed by one for each memory node.
fn number(directory: &Path, file: &str) -> u64 {
    let text = fs::read_to_string(directory.join(file)).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn name(row: &Row) -> String {
    row["name"].as_str().unwrap().to_owned()
}

/// Rows whose names are in the table once, by name.
fn by_name(rows: Vec<Row>) -> HashMap<String, Row> {
    let mut counts = HashMap::<_, u32>::new();
    for row in &rows {
        *counts.entry(name(row)).or_default() += 1;
    }
    let single = rows.into_iter().filter(|row| counts[&name(row)] == 1);
    single.map(|row| (name(&row), row)).collect()
}

fn compare(row: &Row, before: &Info, after: &Info, counts: [u64; 2]) {
    let directory = sysfs(&name(row)).unwrap_or_else(|| unreachable!("sysfs has no {row:?}"));
    let fixed = |file| number(&directory, file);
    let range = |one: u64, other: u64| (one.min(other), one.max(other));
    let pages = 1 << fixed("order");
    let page = rustix::param::page_size() as u64;
    assert_eq!(before.pages_per_slab, pages);
    assert_eq!(before.objects_per_slab, fixed("objs_per_slab"));
    assert_eq!(before.object_size, fixed("slab_size"));
    let slabs = range(before.slabs, after.slabs);
    let objects = range(before.objects, after.objects);
    let partial = range(counts[0], counts[1]);
    // Kernels number the flags differently; another test compares them.
    let mut row = row.clone();
    row.remove("flags").expect("flags");
    let mut columns = Columns::of(&row);
    columns
        .is("name", name(&row))
        .is("object_size", fixed("object_size"))
        .is("size", fixed("slab_size"))
        .is("align", fixed("align"))
        .is("objects_per_slab", fixed("objs_per_slab"))
        .is("pages_per_slab", pages)
        .is("users", fixed("aliases") + 1)
        .between("slabs", slabs.0, slabs.1)
        .between("objects", objects.0, objects.1)
        .between("memory", slabs.0 * pages * page, slabs.1 * pages * page)
        .between("partial", partial.0, partial.1);
    columns.done();
}

/// The slabs on the nodes' lists.
fn partial(caches: &HashMap<String, Row>) -> HashMap<&String, u64> {
    let counts = caches
        .keys()
        .filter_map(|name| Some((name, number(&sysfs(name)?, "partial"))));
    counts.collect()
}

#[test]
fn caches_are_as_slabinfo_and_sysfs_have_them() {
    let mount = Mount::new();
    if !needs_table(&mount, "kernel/slabs") {
        return;
    }
    // Other tests make the kernel allocate. Values that moved one way are bracketed, and
    // a cache that moved to and fro in between is looked at again.
    let mut left: Vec<String> = by_name(mount.rows("kernel/slabs")).into_keys().collect();
    left.retain(|name| sysfs(name).is_some());
    assert!(left.len() > 50, "{left:?}");
    let kmalloc = |name: &String| name.starts_with("kmalloc-");
    assert!(left.iter().any(kmalloc), "{left:?}");
    for attempt in 0.. {
        let before = slabinfo();
        let names = by_name(mount.rows("kernel/slabs"));
        let partial_before = partial(&names);
        let rows = by_name(mount.rows("kernel/slabs"));
        let (partial_after, after) = (partial(&names), slabinfo());
        left.retain(|name| {
            let (Some(before), Some(after)) = (before.get(name), after.get(name)) else {
                unreachable!("slabinfo has no {name}");
            };
            let counts = [partial_before[name], partial_after[name]];
            let compare = || compare(&rows[name], &before[0], &after[0], counts);
            if attempt == 20 {
                compare();
            }
            std::panic::catch_unwind(compare).is_err()
        });
        if left.is_empty() {
            return;
        }
    }
}

#[test]
fn flags_have_a_bit_for_each_that_sysfs_shows() {
    let mount = Mount::new();
    if !needs_table(&mount, "kernel/slabs") {
        return;
    }
    let rows = by_name(mount.rows("kernel/slabs"));
    let caches = rows.values().filter_map(|row| {
        let flags = row["flags"].as_str().unwrap().strip_prefix("0x").unwrap();
        Some((sysfs(&name(row))?, u32::from_str_radix(flags, 16).unwrap()))
    });
    let caches: Vec<_> = caches.collect();
    for file in FLAGS {
        let set: Vec<_> = caches
            .iter()
            .map(|(cache, _)| number(cache, file) == 1)
            .collect();
        assert!(
            set.contains(&true) && set.contains(&false),
            "{file} tells nothing apart"
        );
        let same = |bit: u32| {
            caches
                .iter()
                .zip(&set)
                .all(|((_, flags), &set)| (flags >> bit & 1 == 1) == set)
        };
        assert!((0..u32::BITS).any(same), "no bit is {file}");
    }
}

/// Memory beyond the nodes of a cache belongs to something else, and adds up to
/// anything.
#[test]
fn no_cache_has_more_than_there_is_memory() {
    let mount = Mount::new();
    if !needs_table(&mount, "kernel/slabs") {
        return;
    }
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total
        .and_then(|line| line.split_whitespace().next())
        .unwrap();
    let total = total.parse::<u64>().unwrap() * 1024;
    let rows = mount.rows("kernel/slabs");
    assert!(!rows.is_empty());
    for row in rows {
        let number = |name: &str| row[name].as_u64().unwrap();
        assert!(number("memory") <= total, "{row:?}");
        assert!(number("objects") <= total / number("size"), "{row:?}");
        assert!(number("partial") <= total / number("size"), "{row:?}");
    }
}
