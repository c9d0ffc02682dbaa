//! The system calls that a process makes, counted by a BPF program where they enter
//! the kernel.

use crate::fixtures::bpf_maps::{load, map_of, set};
use libbpf_rs::{Link, MapCore, MapFlags, MapHandle, Object};
use std::collections::BTreeMap;

/// Counts by number, for one process; helpers by their numbers in
/// include/uapi/linux/bpf.h.
const PROGRAM: &str = r#"
typedef unsigned int u32;
typedef unsigned long long u64;
static void *(*lookup)(void *map, const void *key) = (void *)1;
static u64 (*current_pid_tgid)(void) = (void *)14;

struct {
	int (*type)[2];
	int (*max_entries)[512];
	u32 *key;
	u64 *value;
} calls __attribute__((section(".maps"), used));

struct {
	int (*type)[2];
	int (*max_entries)[1];
	u32 *key;
	u32 *value;
} counted __attribute__((section(".maps"), used));

__attribute__((section("raw_tp/sys_enter"), used)) int count(u64 *args)
{
	u32 number = args[1], first = 0;
	u32 *process = lookup(&counted, &first);
	u64 *count;

	if (!process || current_pid_tgid() >> 32 != *process)
		return 0;
	count = lookup(&calls, &number);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] __attribute__((section("license"), used)) = "GPL";
"#;

/// A process whose calls are being counted, until dropped.
pub struct SystemCalls {
    calls: MapHandle,
    _link: Link,
    _object: Object,
}

impl SystemCalls {
    /// Begins to count those of a process, all its threads'.
    pub fn of(process: u32) -> SystemCalls {
        let object = load(PROGRAM);
        let counted = map_of(&object, "counted");
        set(&counted, &0_u32.to_ne_bytes(), &process.to_ne_bytes());
        let program = object.progs_mut().next().expect("one program");
        let link = program.attach().expect("the kernel counts");
        SystemCalls {
            calls: map_of(&object, "calls"),
            _link: link,
            _object: object,
        }
    }

    /// How many there were so far, by the call's number.
    pub fn counted(&self) -> BTreeMap<i64, u64> {
        let mut counts = BTreeMap::new();
        for number in 0..512u32 {
            let value = self.calls.lookup(&number.to_ne_bytes(), MapFlags::ANY);
            let value = value.expect("an array's element").expect("it has all");
            let count = u64::from_ne_bytes(value.try_into().expect("eight bytes"));
            if count > 0 {
                counts.insert(number.into(), count);
            }
        }
        counts
    }

    /// The calls that the process makes during some work.
    pub fn during(&self, work: impl FnOnce()) -> BTreeMap<i64, u64> {
        let before = self.counted();
        work();
        let mut counts = self.counted();
        for (number, count) in &mut counts {
            *count -= before.get(number).unwrap_or(&0);
        }
        counts.retain(|_, count| *count > 0);
        counts
    }
}
