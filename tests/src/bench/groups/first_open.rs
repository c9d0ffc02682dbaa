//! The first open of each table, for which its program is loaded and verified, and the
//! next, which finds it there.

use crate::Mount;
use crate::bench::run::Run;
use crate::bench::spread::Spread;
use crate::fixtures::bpf_maps;
use anyhow::Result;
use iterfs_mapping::{TABLES, Table, TableId};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

pub(super) const ROWS: &[&str] = &["first-open"];

/// Mounts that have loaded nothing.
const MOUNTS: usize = 5;

/// A map for each table of what maps hold, by the name of the table.
const MAPS: &str = r#"
#define MAP(name, kind, entries, flags, value_type) struct { \
	int (*type)[kind]; int (*max_entries)[entries]; int (*map_flags)[flags]; \
	int *key; value_type *value; } name __attribute__((section(".maps"), used));
MAP(elements, 1, 1, 0, int)
MAP(sk_storage, 24, 0, 1, int)
MAP(sockmap, 15, 1, 0, int)
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
"#;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let maps = bpf_maps::load(MAPS);
    let mut times: BTreeMap<&str, Vec<[f64; 2]>> = BTreeMap::new();
    for _ in 0..MOUNTS {
        let mount = Mount::new();
        for id in TableId::all().filter(|id| has_program(id.table())) {
            let table = id.table();
            let below = match iterfs_mapping::File::whole(id) {
                Some(file) => file.path(),
                None => {
                    let map = bpf_maps::map_of(&maps, table.name);
                    format!("bpf/map/{}/{}", bpf_maps::id(&map), table.name)
                }
            };
            let path = mount.path(&below);
            if path.exists() {
                let both = [open(&path)?, open(&path)?];
                times.entry(table.name).or_default().push(both);
            }
        }
        run.go_on()?;
    }
    for table in TABLES {
        let Some(times) = times.get(table.name) else {
            continue;
        };
        let again = Spread::of(times.iter().map(|[_, again]| *again));
        run.figure(
            "first-open",
            format!("`{}`; the next takes {:.2} ms", table.name, again.median),
            None,
            "ms",
            Spread::of(times.iter().map(|[first, _]| *first)),
        );
    }
    Ok(())
}

/// Whether it is the first of those that its program shows.
fn has_program(table: &Table) -> bool {
    let first = TABLES.iter().find(|other| other.object == table.object);
    first.is_some_and(|first| first.name == table.name)
}

/// Milliseconds until the first bytes of a table are there.
fn open(path: &Path) -> Result<f64> {
    let start = Instant::now();
    File::open(path)?.read_exact(&mut [0])?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
