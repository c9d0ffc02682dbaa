//! Pins of user programs: ordinary pins that outlive the daemon.

use iterfs_tests::fixtures::netns::run;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::{control::Control, pins::Pins};
use iterfs_tests::not_here::needs_narrowed_tasks;
use nix::libc;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::process::Command;

fn with_word() -> (Control, Workshop) {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.word("old");
    control.command(&format!("load w {}", object.display()));
    (control, workshop)
}

fn bpftool(pins: &Pins, pin: &str) -> Value {
    let path = pins.path(pin);
    let text = run(&format!("bpftool -j link show pinned {}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// All names below the directory, except those that the kernel puts into each bpffs.
fn names(pins: &Pins) -> Vec<String> {
    let found = run(&format!(
        "find {} -mindepth 1 -printf %P\\n",
        pins.directory().display()
    ));
    let found = found.lines().filter(|name| !name.ends_with(".debug"));
    let mut names: Vec<_> = found.map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn ordinary_tools_agree_about_a_pin() {
    let (control, _workshop) = with_word();
    let pins = control.pins();
    let at = pins.path("user/w");
    assert_eq!(
        control.command("pin user/w"),
        format!("pinned user/w at {}\n", at.display())
    );
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let own = format!(" {} ", pins.directory().display());
    let line = mounts.lines().find(|line| line.contains(&own)).unwrap();
    assert!(line.contains(" - bpf "), "{line}");
    assert_eq!(run(&format!("cat {}", at.display())), "old\n");
    let link = bpftool(pins, "user/w");
    assert_eq!(
        (&link["type"], &link["target_name"]),
        (&"iter".into(), &"task".into())
    );
    let lines = control.lines("user/w", true);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["link"], link["id"]);
    assert_eq!(lines[0]["program"], link["prog_id"]);
    assert_eq!(lines[0]["pin"], at.to_str().unwrap());
    assert_eq!(lines[0]["opens"], Value::Null);
    let row = format!("{}", at.display());
    assert!(control.report().lines().any(|line| line.contains(&row)));

    // The daemon notices that a pin was removed.
    run(&format!("rm {}", at.display()));
    assert!(control.lines("user/w", true).is_empty());
    control.refused("unpin user/w", libc::ENOENT);
    control.command("pin user/w");
    assert_eq!(control.command("unpin user/w"), "unpinned user/w\n");
    assert_eq!(
        names(pins),
        Vec::<String>::new(),
        "nor is the directory left"
    );
}

#[test]
fn pins_are_named_and_removed() {
    let (control, workshop) = with_word();
    let pins = control.pins();
    control.command("pin user/w");
    control.refused("pin user/w", libc::EEXIST);
    control.command("pin user/w a/b/deep");
    control.command("pin user/w other");
    assert_eq!(
        names(pins),
        ["a", "a/b", "a/b/deep", "other", "user", "user/w"]
    );
    assert_eq!(pins.text("a/b/deep"), "old\n");
    assert_eq!(control.lines("user/w", true).len(), 3);
    // Other pins in the directory are not ours.
    let map = pins.path("map");
    run(&format!(
        "bpftool map create {} type array key 4 value 4 entries 1 name other",
        map.display()
    ));
    control.refused("pin user/w map", libc::EEXIST);
    assert_eq!(control.lines("user/w", true).len(), 3);
    assert_eq!(control.command("unpin user/w"), "unpinned user/w\n");
    assert_eq!(names(pins), ["map"]);

    control.command(&format!("load x-1 {}", workshop.word("x").display()));
    control.command("pin user/x-1");
    control.command("pin user/w");
    assert_eq!(control.command("unpin"), "unpinned 2 links\n");
    assert_eq!(names(pins), ["map"]);
    // Only the daemon can read its records.
    let rows = workshop.compile("rows", "rows", &[]);
    control.command(&format!("load rows {}", rows.display()));
    let told = control.refused("pin user/rows", libc::EOPNOTSUPP);
    assert!(told.contains("writes records, not text"), "{told}");
}

#[test]
fn names_that_would_leave_the_directory_are_refused() {
    let (control, _workshop) = with_word();
    let pins = control.pins();
    let outside = tempfile::tempdir().unwrap();
    control.command("pin user/w");
    let before = names(pins);
    symlink(outside.path(), pins.path("link")).unwrap();
    symlink(outside.path().join("new"), pins.path("dangling")).unwrap();
    symlink("user", pins.path("inside")).unwrap();
    for (name, errno) in [
        ("..", libc::EINVAL),
        ("../w", libc::EINVAL),
        ("a/../../w", libc::EINVAL),
        ("a/..", libc::EINVAL),
        ("./w", libc::EINVAL),
        ("/tmp/w", libc::EINVAL),
        ("a//b", libc::EINVAL),
        ("a/", libc::EINVAL),
        ("a\\057..\\057..\\057w", libc::EINVAL),
        ("link/w", libc::EPERM),
        ("inside/x", libc::EPERM),
        ("new/w.x", libc::EPERM),
        ("w.x", libc::EPERM),
        ("dangling", libc::EEXIST),
        ("link", libc::EEXIST),
        ("user", libc::EEXIST),
        ("user/w/x", libc::ENOTDIR),
    ] {
        let told = control.refused(&format!("pin user/w {name}"), errno);
        assert_eq!(told.lines().count(), 1, "{name}: {told}");
    }
    let long = "x".repeat(256);
    control.refused(&format!("pin user/w {long}"), libc::ENAMETOOLONG);
    for link in ["link", "dangling", "inside"] {
        fs::remove_file(pins.path(link)).unwrap();
    }
    assert_eq!(names(pins), before);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn pins_outlive_the_daemon() {
    let (control, workshop) = with_word();
    control.command("pin user/w");
    control.command("pin user/w elsewhere");
    let link = bpftool(control.pins(), "user/w")["id"].clone();
    let pins = control.end();
    assert_eq!(pins.text("user/w"), "old\n");
    assert_eq!(bpftool(&pins, "user/w")["id"], link);

    let control = Control::with_pins(pins, "");
    let lines = control.lines("user/w", true);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["link"], link);
    // Nothing that is loaded now says which table the other pin shows.
    let lines = control.lines("-", true);
    assert_eq!((lines.len(), &lines[0]["link"]), (1, &link));
    // A table loaded again under the same name gets the pin of that name.
    let new = workshop.word("new");
    control.command(&format!("load w {}", workshop.word("other").display()));
    let told = control.command(&format!("update user/w {}", new.display()));
    assert!(told.starts_with("user/w and 1 pin: "), "{told}");
    assert_eq!(control.pins().text("user/w"), "new\n");
    control.command("unpin");
    assert_eq!(names(control.pins()), Vec::<String>::new());
}

#[test]
fn an_update_of_a_table_updates_its_pins() {
    let (control, workshop) = with_word();
    let pins = control.pins();
    control.command("pin user/w");
    let link = bpftool(pins, "user/w")["id"].clone();
    let mut open = File::open(pins.path("user/w")).unwrap();
    let new = workshop.word("new");
    control.command(&format!("update user/w {}", new.display()));
    assert_eq!(pins.text("user/w"), "new\n");
    assert_eq!(bpftool(pins, "user/w")["id"], link, "in place");
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert_eq!(
        text, "old\n",
        "who has it open goes on with the old program"
    );

    let rows = workshop.compile("rows", "rows", &[]);
    let told = control.refused(
        &format!("update user/w {}", rows.display()),
        libc::EOPNOTSUPP,
    );
    assert!(
        told.contains("unpin it first") && told.lines().count() == 1,
        "{told}"
    );
    assert_eq!(pins.text("user/w"), "new\n");
    assert_eq!(control.mount().text("user/w"), "new\n");
    let ports = workshop.compile("ports", "ports", &[]);
    control.refused(&format!("update user/w {}", ports.display()), libc::EINVAL);
    assert_eq!(pins.text("user/w"), "new\n");

    // An unloaded table is still pinned, and can be unpinned.
    control.command("unload w");
    assert_eq!(pins.text("user/w"), "new\n");
    control.command("unpin user/w");
}

/// A built-in table whose program was replaced by one that prints text.
#[test]
fn a_table_with_a_user_program_is_pinned_with_it() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let pins = control.pins();
    let own = std::process::id();
    let tasks = workshop.compile("tasks", "tasks", &[]);
    let word = workshop.word("new");
    control.command(&format!("update files {} descriptors", tasks.display()));
    control.command("pin files");
    let narrows = needs_narrowed_tasks();
    let pin_mine = format!("pin pid/{own}/files mine");
    if narrows {
        control.command(&pin_mine);
    } else {
        let told = control.refused(&pin_mine, libc::EOPNOTSUPP);
        assert!(
            told.contains("cannot narrow a walk to a process;"),
            "{told}"
        );
    }
    let mine = format!("{own} ");
    assert!(
        pins.text("files")
            .lines()
            .any(|line| !line.starts_with(&mine))
    );
    if narrows {
        assert!(
            pins.text("mine")
                .lines()
                .all(|line| line.starts_with(&mine))
        );
        assert_eq!(bpftool(pins, "mine")["pid"], own);
    }
    let pinned = usize::from(narrows);
    assert_eq!(control.lines("files", true).len(), 1);
    assert_eq!(
        control.lines(&format!("pid/{own}/files"), true).len(),
        pinned
    );
    // An update reaches the table's pins, and no pin of another table of its target.
    control.refused(&format!("update files {}", word.display()), libc::EINVAL);
    let files = workshop.compile("tasks", "again", &[]);
    let told = control.command(&format!("update files {} descriptors", files.display()));
    let updated = match narrows {
        true => "files and 2 pins: ",
        false => "files and 1 pin: ",
    };
    assert!(told.starts_with(updated), "{told}");
    let program = control.line("files")["program"].clone();
    assert_eq!(bpftool(pins, "files")["prog_id"], program);
    if narrows {
        assert_eq!(bpftool(pins, "mine")["prog_id"], program);
    }

    control.command(&format!("update processes {}", word.display()));
    control.command("pin processes");
    let told = control.command(&format!("update tasks {}", word.display()));
    assert!(told.starts_with("tasks: "), "{told}");
    let rows = workshop.compile("rows", "rows", &[]);
    control.command(&format!("update tasks {}", rows.display()));
    control.refused(
        &format!("update processes {}", rows.display()),
        libc::EOPNOTSUPP,
    );
    assert_eq!(control.mount().text("processes"), "new\n");
    let told = control.command("unpin");
    assert_eq!(told, format!("unpinned {} links\n", 2 + pinned));
}

/// A path that cannot be the directory of pins is reported and left alone.
#[test]
fn a_directory_that_cannot_hold_pins_is_refused_with_the_reason() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.word("w");
    let directory = control.pins().directory().to_owned();
    fs::remove_dir(&directory).unwrap();
    control.command(&format!("load w {}", object.display()));
    assert!(!directory.exists(), "made when something is pinned");
    fs::write(&directory, "").unwrap();
    let refused = control.try_command("pin user/w").unwrap_err();
    assert!(
        [libc::ENOTDIR, libc::EEXIST].contains(&refused.errno),
        "{refused:?}"
    );
    assert_eq!(control.command("unpin"), "unpinned 0 links\n");
    fs::remove_file(&directory).unwrap();
    control.command("pin user/w");
    assert_eq!(control.pins().text("user/w"), "w\n");

    let relative = Command::new(iterfs_tests::fixtures::programs::iterfs())
        .args(["mount", "-o", "pins=here", "/nowhere"])
        .output()
        .unwrap();
    assert_eq!(relative.status.code(), Some(1), "{relative:?}");
}
