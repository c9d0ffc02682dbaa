//! Objects made to break whatever opens them. They may be refused, and nothing else
//! may happen: the daemon goes on, and so do the tables of other objects.

use iterfs_tests::brought::Workshop;
use iterfs_tests::control::Control;
use iterfs_tests::object::Object;
use std::fs;

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
    // The kernel of the day decides: an iterator program needs no BTF of its own.
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
