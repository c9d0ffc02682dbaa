//! A hash map of a million elements.

use crate::Mount;
use crate::bench::cost::Meter;
use crate::bench::pairs::{Plan, Side};
use crate::bench::reader::{cat, command};
use crate::bench::run::Run;
use crate::fixtures::bpf_maps;
use anyhow::Result;
use libbpf_rs::{MapCore, MapFlags};

pub(super) const ROWS: &[&str] = &["elements-bpftool"];

const ELEMENTS: u32 = 1 << 20;

const MAP: &str = r#"
struct flow { unsigned int address; unsigned short port, protocol; };
struct count { unsigned long long packets, bytes; };
struct {
	int (*type)[1];
	int (*max_entries)[1 << 20];
	struct flow *key;
	struct count *value;
} flows __attribute__((section(".maps"), used));
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
"#;

pub(super) fn measure(run: &mut Run) -> Result<()> {
    let object = bpf_maps::load(MAP);
    let map = bpf_maps::map_of(&object, "flows");
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for number in 0..u64::from(ELEMENTS) {
        keys.extend((number * 0x9e37_79b9_7f4a_7c15).to_ne_bytes());
        values.extend([number.to_ne_bytes(), (number * 1500).to_ne_bytes()].concat());
    }
    map.update_batch(&keys, &values, ELEMENTS, MapFlags::ANY, MapFlags::ANY)?;
    drop((keys, values));
    let id = bpf_maps::id(&map).to_string();
    let mount = Mount::new();
    let meter = Meter::of(&mount);
    let path = mount.path(&format!("bpf/map/{id}/elements.json"));
    run.compare(
        "elements-bpftool",
        "elements.json of a hash map of 1M: cat / bpftool map dump -j",
        None,
        Plan::new(5, 15),
        [
            Side::new("iterfs", || cat(meter, &path)),
            Side::new("bpftool map dump -j", || {
                command(
                    Meter::default(),
                    "bpftool",
                    &["map", "dump", "id", &id, "-j"],
                )
            }),
        ],
    )
}
