//! The directory of programs: `-o programs=DIR`, and `reload`.

use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use nix::libc;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

#[test]
fn the_directory_of_programs_is_loaded_at_mount_and_by_reload() {
    let (programs, workshop) = (tempfile::tempdir().unwrap(), Workshop::new());
    let place = |word: &str, name: &str| {
        let object = workshop.word(word);
        let new = programs.path().join("new");
        fs::copy(object, &new).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(new, programs.path().join(name)).unwrap();
    };
    place("one", "first.o");
    place("two", "second.bpf.o");
    fs::write(programs.path().join("README"), "").unwrap();
    let control = Control::with_programs(programs.path());
    let mount = control.mount();
    assert_eq!(mount.text("user/first"), "one\n");
    assert_eq!(mount.text("user/second"), "two\n");
    assert_eq!(control.command("reload"), "reloaded: 0 changes\n");

    place("three", "third.o");
    place("new", "first.o");
    fs::remove_file(programs.path().join("second.bpf.o")).unwrap();
    assert_eq!(control.command("reload"), "reloaded: 3 changes\n");
    assert_eq!(mount.text("user/first"), "new\n");
    assert_eq!(mount.text("user/third"), "three\n");
    assert!(!mount.path("user/second").exists());

    // Programs loaded by hand stay; programs unloaded by hand come back.
    let word = workshop.word("hand");
    control.command(&format!("load hand {}", word.display()));
    control.command("unload third");
    assert_eq!(control.command("reload"), "reloaded: 1 change\n");
    assert_eq!(mount.text("user/hand"), "hand\n");
    assert_eq!(mount.text("user/third"), "three\n");

    // A program that does not load leaves the others alone, and the loaded one stays.
    fs::write(programs.path().join("first.o"), "no ELF").unwrap();
    place("four", "fourth.o");
    let told = control.refused("reload", libc::ENOEXEC);
    assert!(told.contains("first.o"), "{told}");
    assert_eq!(mount.text("user/first"), "new\n");
    assert_eq!(mount.text("user/fourth"), "four\n");
    fs::remove_file(programs.path().join("first.o")).unwrap();

    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    place("five", "fifth.o");
    let fifth = programs.path().join("fifth.o");
    set_mode(&fifth, 0o664);
    let told = control.refused("reload", libc::EPERM);
    assert!(told.contains("chmod go-w"), "{told}");
    set_mode(&fifth, 0o644);
    std::os::unix::fs::chown(&fifth, Some(61_102), None).unwrap();
    let told = control.refused("reload", libc::EPERM);
    assert!(told.contains("chown root"), "{told}");
    fs::remove_file(&fifth).unwrap();
    symlink(workshop.word("link"), &fifth).unwrap();
    control.refused("reload", libc::EPERM);
    fs::remove_file(&fifth).unwrap();
    place("odd", "od d.o");
    control.refused("reload", libc::EINVAL);
    fs::remove_file(programs.path().join("od d.o")).unwrap();
    assert!(!mount.path("user/fifth").exists());
    assert_eq!(control.command("reload"), "reloaded: 0 changes\n");

    set_mode(programs.path(), 0o777);
    control.refused("reload", libc::EPERM);
    set_mode(programs.path(), 0o755);
    assert_eq!(control.command("reload"), "reloaded: 0 changes\n");
}

#[test]
fn a_directory_of_programs_that_others_may_write_is_refused() {
    let programs = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mount = || {
        let options = format!("programs={}", programs.path().display());
        let mut command = Command::new(iterfs_tests::fixtures::programs::iterfs());
        let command = command
            .args(["mount", "-o", &options])
            .arg(directory.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(32), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(mount().contains("chmod go-w"));
    fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(programs.path(), Some(61_103), None).unwrap();
    assert!(mount().contains("chown root"));
    fs::remove_dir(programs.path()).unwrap();
    let said = mount();
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// Each refused object is reported, at the mount and at each reload, until it is corrected.
#[test]
fn every_refused_object_is_named_with_the_reason() {
    let (programs, workshop) = (tempfile::tempdir().unwrap(), Workshop::new());
    let write = |name: &str, bytes: &[u8]| {
        fs::write(programs.path().join(name), bytes).unwrap();
    };
    let good = fs::read(workshop.word("good")).unwrap();
    let refused = workshop.compile("refused", "refused", &[]);
    let several = workshop.compile("tasks", "tasks", &[]);
    write("bad.o", b"no ELF");
    write("careless.o", &fs::read(&refused).unwrap());
    write("good.o", &good);
    write("several.o", &fs::read(&several).unwrap());
    let control = Control::with_programs(programs.path());
    assert_eq!(control.mount().text("user/good"), "good\n");
    let objects = [
        ("bad.o", "not an ELF file", "ENOEXEC"),
        ("careless.o", "cannot load", "EACCES"),
        ("several.o", "name one of", "ENOEXEC"),
    ];
    let is_told = |text: &str| {
        for (object, what, errno) in objects {
            let mut lines = text.lines().filter(|line| line.contains(object));
            let line = lines.next().unwrap_or_else(|| panic!("{object}: {text}"));
            assert!(line.contains(what) && line.contains(errno), "{line}");
        }
    };
    is_told(&control.report());
    let told = control.try_command("reload").unwrap_err().told;
    let (line, log) = told.split_once('\n').unwrap();
    is_told(line);
    assert!(line.contains("3 failures: "), "{line}");
    assert!(log.contains("processed "), "{log}");
    is_told(&control.report());
    let listed = control.json()["refused"].clone();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), objects.len(), "{listed:?}");
    for (object, _, errno) in objects {
        let message = |refused: &&Value| refused["message"].as_str().unwrap().contains(object);
        let refused = listed.iter().find(message).unwrap();
        assert_eq!(refused["error"], errno);
        assert_eq!(refused["log"].is_string(), errno == "EACCES");
    }
    // The outcome of another command does not mention them.
    control.refused("unload nobody", libc::ENOENT);
    is_told(&control.report());
    for (object, ..) in objects {
        write(object, &good);
    }
    assert_eq!(control.command("reload"), "reloaded: 3 changes\n");
    assert_eq!(control.json()["refused"], serde_json::json!([]));
    assert!(!control.report().contains("# programs"));
}
