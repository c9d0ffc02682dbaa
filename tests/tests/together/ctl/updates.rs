//! A table's program is replaced while others read it.

use iterfs_tests::errno::errno_of;
use iterfs_tests::fixtures::cgroups::Cgroups;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::{Control, write};
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::mount::pins::Pins;
use iterfs_tests::wait::wait_until;
use nix::libc;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn a_reader_finishes_on_the_program_it_began_with() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let elements =
        |word: &str| workshop.compile("word", word, &[&format!("WORD=\"{word}\""), "LINES=3"]);
    let (old, new) = (elements("old"), elements("new"));
    control.command(&format!("load w {}", old.display()));
    let mut file = File::open(control.mount().path("user/w")).unwrap();
    control.command(&format!("update user/w {}", new.display()));
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "old\nold\nold\n");
    assert_eq!(control.mount().text("user/w"), "new\nnew\nnew\n");

    // Unloading the table does not break off a pass in progress.
    let mut file = File::open(control.mount().path("user/w")).unwrap();
    let mut text = [0; 4];
    file.read_exact(&mut text).unwrap();
    control.command("unload w");
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!((&text, &*rest), (b"new\n", "new\nnew\n"));
    wait_until("its iterator is closed", || {
        Daemon(control.mount().daemon()).iterators() == 0
    });
}

/// A pass that the kernel has not finished: it is longer than what is produced ahead.
#[test]
fn a_long_pass_finishes_too() {
    let (control, workshop) = (Control::with_pins(Pins::mounted(), ""), Workshop::new());
    let old = workshop.compile("numbers", "old", &["END=\"old\""]);
    let new = workshop.compile("numbers", "new", &["END=\"new\""]);
    let map = "array key 4 value 8 entries 200000";
    let map = control.pins().map("long", map, &[]);
    control.command(&format!("load w {} elements map={map}", old.display()));
    let elements: String = (0..200_000).map(|n| format!("{n} {n} 0\n")).collect();
    let begun = || {
        let mut file = File::open(control.mount().path("user/w")).unwrap();
        file.read_exact(&mut [0; 1]).unwrap();
        file
    };
    let rest = |mut file: File| {
        let mut rest = String::from("0");
        file.read_to_string(&mut rest).unwrap();
        rest
    };
    let file = begun();
    control.command(&format!("update user/w {}", new.display()));
    assert!(
        rest(file) == format!("{elements}old 0\n"),
        "on the old program"
    );
    let file = begun();
    control.command("unload w");
    assert!(
        rest(file) == format!("{elements}new 0\n"),
        "though it was unloaded"
    );
}

#[test]
fn updates_disturb_no_reader() {
    const READERS: usize = 50;
    const UPDATES: usize = 250;
    let (control, workshop) = (Control::new(), Workshop::new());
    let word = workshop.word("old");
    control.command(&format!("load w {}", word.display()));
    let objects = ["old", "new"].map(|word| workshop.word(word));
    let over = AtomicBool::new(false);
    let path = control.mount().path("user/w");
    let passes: usize = thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut passes = 0;
                    while !over.load(Ordering::Relaxed) {
                        let text = fs::read_to_string(&path).expect("no open or read fails");
                        assert!(text == "old\n" || text == "new\n", "{text:?}");
                        passes += 1;
                    }
                    passes
                })
            })
            .collect();
        let mut file = control.open();
        for update in 0..UPDATES {
            let object = objects[update % 2].display();
            let command = format!("update user/w {object}");
            let told = write(&mut file, command.as_bytes()).unwrap();
            assert_eq!(told, format!("user/w: updated from {object}\n"));
            let expected = ["old\n", "new\n"][update % 2];
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                expected,
                "the next open"
            );
        }
        over.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum()
    });
    assert!(passes >= READERS, "{passes} passes");
    assert_eq!(control.line("user/w")["error"], Value::Null);
}

#[test]
fn a_table_is_updated_and_goes_back() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let mount = control.mount();
    let own = mount.text("tasks");
    let header = own.lines().next().unwrap();
    let object = workshop.word("new");
    let word = object.display();
    assert_eq!(
        control.command(&format!("update tasks {word}")),
        format!("tasks: updated from {word}\n")
    );
    assert_eq!(mount.text("tasks"), "new\n");
    // It prints text, so there is nothing for the other formats.
    let error = File::open(mount.path("tasks.json")).unwrap_err();
    assert_eq!(errno_of(&error), libc::ENOENT);

    let ports = workshop.compile("ports", "ports", &[]);
    let told = control.refused(&format!("update tasks {}", ports.display()), libc::EINVAL);
    assert!(
        told.contains("walks tcp, but this table needs a program for task"),
        "{told}"
    );
    let refused = workshop.compile("refused", "refused", &[]);
    control.refused(&format!("update tasks {}", refused.display()), libc::EACCES);
    assert_eq!(mount.text("tasks"), "new\n");

    control.command("update tasks default");
    assert_eq!(mount.text("tasks").lines().next(), Some(header));
    assert!(!mount.rows("tasks").is_empty());
    control.command("update tasks default");
    // A program that declares a row has all formats.
    let rows = workshop.compile("rows", "rows", &[]);
    control.command(&format!("update tasks {}", rows.display()));
    assert_eq!(mount.rows("tasks").len(), 1);
    control.command("update tasks default");
}

/// `pid/` and `bpf/map/` are listed from tables, and an update of those tables does not change them.
#[test]
fn an_update_leaves_the_directories_unchanged() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let mount = control.mount();
    let own = std::process::id();
    let object = workshop.word("new");
    let word = object.display();
    control.command(&format!("update processes {word}"));
    assert_eq!(mount.text("processes"), "new\n");
    assert!(mount.path(&format!("pid/{own}")).is_dir());
    let listed = fs::read_dir(mount.path("pid")).unwrap();
    let mut listed = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert!(listed.any(|name| name == own.to_string()));

    // A table of one process stays narrowed to it with every program.
    let object = workshop.compile("tasks", "tasks", &[]);
    control.command(&format!("update files {} descriptors", object.display()));
    let text = mount.text(&format!("pid/{own}/files"));
    assert!(!text.is_empty());
    let mine = format!("{own} ");
    assert!(text.lines().all(|line| line.starts_with(&mine)), "{text}");
}

/// A program whose own map is named `readers` harms no other.
#[test]
fn a_users_map_named_like_ours_is_not_ours() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let source = workshop.path("readers.bpf.c");
    let text = include_str!("../../../programs/tasks.bpf.c").replace("seen", "readers");
    fs::write(&source, text).unwrap();
    let object = workshop.path("readers.o");
    let headers = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    workshop.clang(&source, &object, &[headers], &[]);
    let own = std::process::id();
    let at = object.display();
    control.command(&format!("load w {at} thread_ids tid={own}"));
    assert_eq!(control.mount().text("user/w"), format!("{own} {own} 1 0\n"));
    assert!(!control.mount().rows("tasks").is_empty());
    assert_eq!(control.mount().text("user/w"), format!("{own} {own} 2 1\n"));
}

/// The kernel checks a program when it is attached, but not when it is put into a link.
#[test]
fn an_update_is_checked_as_a_load_is() {
    let (control, workshop) = (Control::with_pins(Pins::mounted(), ""), Workshop::new());
    let mount = control.mount();
    let what = "array key 4 value 8 entries 2";
    let map = control.pins().map("checked", what, &[(0, 7), (1, 8)]);
    let good = workshop.compile("numbers", "good", &[]);
    // The program reads sixteen bytes of an eight-byte value.
    let beyond = workshop.compile("numbers", "beyond", &["CPUS=2"]);
    let sleepable = ["SECTION=\"iter.s/bpf_map_elem\""];
    let sleepable = workshop.compile("numbers", "sleepable", &sleepable);
    let bad = [(&beyond, libc::EACCES), (&sleepable, libc::EINVAL)];
    for (object, errno) in bad {
        let load = format!("load w {} elements map={map}", object.display());
        control.refused(&load, errno);
    }
    let load = format!("load w {} elements map={map}", good.display());
    control.command(&load);
    control.command("pin user/w");
    let expected = "0 0 7\n1 1 8\nsum 15\n";
    let elements = format!("bpf/map/{map}/elements");
    let before = mount.text(&elements);
    for (object, errno) in bad {
        for path in ["user/w", &elements] {
            let object = object.display();
            let told = control.refused(&format!("update {path} {object}"), errno);
            assert!(told.contains("cannot attach"), "{told}");
        }
        assert_eq!(mount.text("user/w"), expected);
        assert_eq!(control.pins().text("user/w"), expected);
        assert_eq!(mount.text(&elements), before);
    }
    let same = workshop.compile("numbers", "same", &["END=\"same\""]);
    control.command(&format!("update user/w {}", same.display()));
    assert_eq!(mount.text("user/w"), "0 0 7\n1 1 8\nsame 15\n");
    assert_eq!(control.pins().text("user/w"), "0 0 7\n1 1 8\nsame 15\n");

    let sleepable = workshop.compile("ports", "ports", &["SECTION=\"iter.s/tcp\""]);
    let load = format!("load ports {}", sleepable.display());
    control.refused(&load, libc::EINVAL);
    let header = mount.text("net/tcp").lines().next().map(str::to_owned);
    let update = format!("update net/tcp {}", sleepable.display());
    control.refused(&update, libc::EINVAL);
    control.command("pin net/tcp");
    control.refused(&update, libc::EINVAL);
    for text in [mount.text("net/tcp"), control.pins().text("net/tcp")] {
        assert_eq!(text.lines().next().map(str::to_owned), header);
    }
}

/// A link to a cgroup outlives it, and so may be updated.
#[test]
fn a_table_of_a_cgroup_that_is_gone_is_updated() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("tasks", "tasks", &[]);
    let at = object.display();
    let group = Cgroups::new();
    let load = format!("load c {at} cgroups cgroup=/{}", group.name());
    control.command(&load);
    assert_eq!(control.mount().text("user/c").lines().count(), 1);
    drop(group);
    control.command(&format!("update user/c {at} cgroups"));
    assert_eq!(control.mount().text("user/c"), "");
}

/// The new program walks the map that it declares, which is the one that is walked.
#[test]
fn an_update_keeps_the_map() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let object = workshop.compile("storage", "storage", &[]);
    let (at, own) = (object.display(), std::process::id());
    control.command(&format!("load keep {at} keep pid={own}"));
    let kept = format!("{}\n", 1000 + socket.as_raw_fd());
    assert!(control.mount().text("user/keep").contains(&kept));
    let map = control.map("kept");
    for table in ["w", "witness"] {
        control.command(&format!("load {table} {at} show map={map}"));
        assert!(
            control
                .mount()
                .text(&format!("user/{table}"))
                .contains(&kept)
        );
    }
    control.command(&format!("update user/w {at} forget"));
    assert_eq!(control.mount().text("user/w"), "");
    assert_eq!(control.mount().text("user/witness"), "", "nothing is kept");
    // So does a table that is loaded again.
    assert!(control.mount().text("user/keep").contains(&kept));
    control.command(&format!("update user/w {at} show"));
    assert!(control.mount().text("user/w").contains(&kept));
    control.command(&format!("update user/w {at} forget"));
    assert_eq!(control.mount().text("user/w"), "");
    assert_eq!(control.mount().text("user/witness"), "", "nothing is kept");
}
