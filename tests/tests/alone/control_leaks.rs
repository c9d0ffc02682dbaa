//! Writes to the control file leave nothing behind, however many they are.

use iterfs_tests::fixtures::netns::run;
use iterfs_tests::fixtures::random::Random;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::{Control, write};
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::wait::wait_until;
use serde_json::Value;
use std::fs;

/// The number of writes; the environment may ask for more.
const WRITES: usize = 20_000;
const MORE: &str = "ITERFS_WRITES";

/// Growth of the daemon's memory that is not a leak: its allocator keeps that much.
const KEPT_KIB: u64 = 16 * 1024;

/// Programs of this name, maps of the other, and links to such programs.
fn objects([name, map]: &[String; 2]) -> [usize; 3] {
    let all = |kind: &str| -> Vec<Value> {
        serde_json::from_str(&run(&format!("bpftool -j {kind} list"))).unwrap()
    };
    let (programs, maps, links) = (all("prog"), all("map"), all("link"));
    let ids = programs.iter();
    let ids: Vec<_> = ids
        .filter(|program| program["name"] == **name)
        .map(|program| &program["id"])
        .collect();
    let links = links.iter().filter(|link| ids.contains(&&link["prog_id"]));
    [
        ids.len(),
        maps.iter().filter(|other| other["name"] == **map).count(),
        links.count(),
    ]
}

#[test]
fn tables_that_are_unloaded_leave_nothing() {
    let _turn = crate::turn();
    const TABLES: usize = 100;
    const ROUNDS: usize = 5;
    let (control, workshop) = (Control::new(), Workshop::new());
    let daemon = Daemon(control.mount().daemon());
    let names = ["leak", "held"].map(|name| format!("{name}{}", std::process::id()));
    let name = &names[0];
    let defines = [format!("thread_ids={name}"), format!("seen={}", names[1])];
    let object = workshop.compile("tasks", "tasks", &[&defines[0], &defines[1]]);
    let mut memory = Vec::new();
    let mut descriptors = Vec::new();
    for _ in 0..ROUNDS {
        for table in 0..TABLES {
            control.command(&format!("load t{table} {} {name}", object.display()));
        }
        assert_eq!(objects(&names), [TABLES; 3]);
        let own = fs::read_dir(control.mount().path("user")).unwrap();
        assert_eq!(own.count(), TABLES);
        assert!(!control.mount().read("user/t7").is_empty());
        for table in 0..TABLES {
            control.command(&format!("unload t{table}"));
        }
        wait_until("all are gone", || objects(&names) == [0; 3]);
        memory.push(daemon.status("VmRSS"));
        descriptors.push(daemon.descriptors().len());
    }
    // Updates give back what they replace.
    control.command(&format!("load t {} {name} pid=1", object.display()));
    for _ in 0..TABLES {
        control.command(&format!("update user/t {} {name}", object.display()));
    }
    wait_until("one is left", || objects(&names) == [1; 3]);
    control.command("unload t");
    wait_until("none is left", || objects(&names) == [0; 3]);
    assert!(
        descriptors.iter().all(|count| *count == descriptors[0]),
        "{descriptors:?}"
    );
    assert!(
        memory[ROUNDS - 1] <= memory[0] + KEPT_KIB,
        "KiB after each round: {memory:?}"
    );
}

/// The programs and links in a report.
fn standing(control: &Control) -> Vec<(String, Value, Value)> {
    let report = control.json();
    let tables = report["tables"].as_array().unwrap().iter();
    let text = |line: &Value| line["path"].as_str().unwrap().to_owned();
    tables
        .map(|line| (text(line), line["program"].clone(), line["link"].clone()))
        .collect()
}

#[test]
fn random_and_mutated_writes_change_nothing() {
    let _turn = crate::turn();
    let writes = std::env::var(MORE).map_or(WRITES, |more| more.parse().unwrap());
    let (control, workshop) = (Control::new(), Workshop::new());
    let daemon = Daemon(control.mount().daemon());
    let word = workshop.word("word");
    control.command(&format!("load word {}", word.display()));
    for table in ["processes", "bpf/maps"] {
        assert!(!control.mount().rows(table).is_empty());
    }
    // No mutation of these could change a table.
    let commands: [&[u8]; 9] = [
        b"pin no/such/table a/b",
        b"unpin user/word",
        b"update user/word /no/such.o say",
        b"update tasks default",
        b"load another /no/such.o say pid=1",
        b"load another /no/such.o cgroup=/ order=ancestors",
        b"unload another",
        b"reload",
        b"pin pid/4294967295/files \\057x\n",
    ];
    let before = standing(&control);
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut memory = None;
    for number in 0..writes {
        let command = match random.below(3) {
            0 => random.bytes(200),
            1 => random.bytes(5000),
            _ => {
                let command = random.one_of(&commands);
                random.mutated(command)
            }
        };
        // Descriptors are used once or several times.
        let mut file = control.open();
        for _ in 0..=random.below(2) {
            if let Err(refused) = write(&mut file, &command) {
                let told = &refused.told;
                assert!(
                    told.lines().count() == 1 && told.len() < 8192,
                    "{command:?}: {told}"
                );
            }
        }
        if number == writes / 4 {
            memory = Some((daemon.status("VmRSS"), daemon.descriptors().len()));
        }
    }
    control.command("unpin");
    assert_eq!(standing(&control), before);
    assert_eq!(control.mount().text("user/word"), "word\n");
    let (kib, descriptors) = memory.unwrap();
    wait_until("no descriptor is left", || {
        daemon.descriptors().len() <= descriptors
    });
    let after = daemon.status("VmRSS");
    assert!(after <= kib + KEPT_KIB, "{kib} KiB became {after}");
}
