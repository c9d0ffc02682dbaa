//! Objects made to break the code that opens them. They may be refused, and nothing else
//! may happen: the daemon goes on, and so do the tables of other objects.

use iterfs_tests::fixtures::object::Object;
use iterfs_tests::fixtures::random::Random;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::wait::wait_until;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::thread;

/// The kernel refuses the BTF and quotes the name, and libbpf prints what it says.
fn with_a_high_byte(workshop: &Workshop) -> Vec<u8> {
    let mut object = Object::read(&workshop.word("high"));
    object.rename_in_btf("say", b"s\x80y");
    object.bytes
}

#[test]
fn a_name_that_is_not_utf_8_is_refused_or_loaded() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.path("object.o");
    fs::write(&object, with_a_high_byte(&workshop)).unwrap();
    let told = control.try_command(format!("load high {}", object.display()));
    // Kernels differ: an iterator program needs no BTF of its own.
    match told {
        Ok(_) => assert_eq!(control.mount().text("user/high"), "high\n"),
        Err(refused) => assert!(refused.told.contains("object.o"), "{}", refused.told),
    }
    control.command(&format!("load w {}", workshop.word("word").display()));
    assert_eq!(control.mount().text("user/w"), "word\n");
}

#[test]
fn a_name_that_is_not_utf_8_does_not_keep_the_mount_from_being_made() {
    let (programs, workshop) = (tempfile::tempdir().unwrap(), Workshop::new());
    fs::write(programs.path().join("high.o"), with_a_high_byte(&workshop)).unwrap();
    fs::copy(workshop.word("word"), programs.path().join("word.o")).unwrap();
    let control = Control::with_programs(programs.path());
    assert_eq!(control.mount().text("user/word"), "word\n");
}

/// A separate process opens the object and crashes alone. A signal crashes it here, while it
/// waits for the bytes of the object: a table of which no row ever comes.
#[test]
fn a_crash_costs_the_object_alone() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let odd = workshop.compile("odd", "odd", &[]);
    control.command(&format!("load slow {} for_ever", odd.display()));
    let slow = control.mount().path("user/slow");
    let daemon = Daemon(control.mount().daemon());
    assert_eq!(daemon.children(), [0; 0]);
    let load = format!("load w {}", slow.display());
    let told = thread::scope(|scope| {
        let loading = scope.spawn(|| control.refused(&load, libc::ENOEXEC));
        wait_until("a process loads the object", || {
            !daemon.children().is_empty()
        });
        for child in daemon.children() {
            kill(Pid::from_raw(child as i32), Signal::SIGABRT).unwrap();
        }
        loading.join().unwrap()
    });
    assert!(told.contains("crashed (signal: 6 (SIGABRT)"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert_eq!(daemon.children(), [0; 0]);
    control.command(&format!("load w {}", workshop.word("word").display()));
    assert_eq!(control.mount().text("user/w"), "word\n");
}

/// Objects that differ from good ones in a few bytes: most are refused, some load, some
/// crash the process that opens them.
#[test]
fn thousands_of_mutated_objects_leave_the_daemon_running() {
    const OBJECTS: usize = 2000;
    let (control, workshop) = (Control::new(), Workshop::new());
    control.command(&format!("load w {}", workshop.word("word").display()));
    let bases = [
        ("word", &["WORD=\"w\""][..]),
        ("rows", &[]),
        ("tasks", &[]),
        ("odd", &[]),
    ];
    let bases = bases.map(|(source, defines)| {
        Object::read(&workshop.compile(source, &format!("base_{source}"), defines))
    });
    let programs = ["", "", "thread_ids", "once"];
    let daemon = Daemon(control.mount().daemon());
    let before = daemon.descriptors().len();
    let object = workshop.path("mutated.o");
    let mut random = Random::new(0x05ee_d0b1_ec75);
    let mut outcomes = BTreeMap::<String, usize>::new();
    for number in 0..OBJECTS {
        let base = random.below(bases.len());
        fs::write(&object, bases[base].mutated(&mut random)).unwrap();
        let command = format!("load m {} {}", object.display(), programs[base]);
        let outcome = match control.try_command(&command) {
            Ok(_) => {
                control.command("unload m");
                "loaded".into()
            }
            Err(refused) => {
                let (line, _) = refused.told.split_once('\n').unwrap();
                assert!(line.contains("mutated.o"), "{number}: {line}");
                assert_ne!(refused.errno, libc::ETIMEDOUT, "{number}: {line}");
                match line.split_once("crashed") {
                    Some((_, how)) => {
                        let kept = std::env::temp_dir().join(format!("crash-{number}.o"));
                        fs::copy(&object, kept).unwrap();
                        format!("crashed{how}")
                    }
                    None => format!("refused with {}", refused.errno),
                }
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{outcomes:?}");
    assert_eq!(control.mount().text("user/w"), "word\n");
    assert_eq!(daemon.descriptors().len(), before);
    for outcome in ["loaded", "refused with 8"] {
        assert!(outcomes.contains_key(outcome), "{outcomes:?}");
    }
}
