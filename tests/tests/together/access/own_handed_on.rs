//! `others=own`, and readers that are not who opened the file, or act for somebody else.

use iterfs_tests::Mount;
use iterfs_tests::errno::errno;
use iterfs_tests::fixtures::open_programs::Programs;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::oracles::rows::{numbers, pids, rest};
use nix::libc;
use rustix::fs::RawDir;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;

fn mount() -> Mount {
    Mount::with_options("others=own")
}

#[test]
fn an_open_table_is_its_openers_whoever_reads_it() {
    let (mount, programs) = (mount(), Programs::new());
    let (me, other) = (User::fresh(), User::fresh());
    let mine = programs.start(&me, "idle");
    let theirs = programs.start(&other, "idle");
    let path = mount.path("processes.jsonl");
    let mut file = me.run(|| File::open(&path).unwrap());
    // Root reads on; the rows produced then are the opener's, too.
    let mut first = [0; 20];
    file.read_exact(&mut first).unwrap();
    let whole = me.run(|| {
        file.rewind().unwrap();
        rest(&file)
    });
    assert!(
        whole.contains(&format!("\"pid\":{},", mine.pid())),
        "{whole}"
    );
    assert!(
        !whole.contains(&format!("\"pid\":{},", theirs.pid())),
        "{whole}"
    );
    file.rewind().unwrap();
    assert_eq!(rest(&file), whole, "seeking back shows the same");
}

/// The names in an open directory, from its start.
fn names(directory: &OwnedFd) -> io::Result<Vec<String>> {
    rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0))?;
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(8192);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

#[test]
fn an_open_directory_is_its_openers_whoever_reads_it() {
    let (mount, programs) = (mount(), Programs::new());
    let (me, other) = (User::fresh(), User::fresh());
    let mine = programs.start(&me, "idle");
    let theirs = programs.start(&other, "idle");
    let open = || -> OwnedFd { File::open(mount.path("pid")).unwrap().into() };
    // Root is the first to read the descriptor.
    let directory = me.run(open);
    assert_eq!(errno(names(&directory)), Some(libc::EACCES));
    let by_me = me.run(|| names(&directory).unwrap());
    assert_eq!(numbers(&by_me), BTreeSet::from([mine.pid()]));
    // Handed on, it lists its opener's view, not its holder's.
    let by_other = other.run(|| names(&directory).unwrap());
    assert_eq!(numbers(&by_other), BTreeSet::from([mine.pid()]));
    drop(theirs);
}

#[test]
fn root_that_acts_for_a_user_reads_nothing_of_that_user() {
    let (mount, programs) = (mount(), Programs::new());
    let me = User::fresh();
    let mine = programs.start(&me, "idle");
    let tasks = me.run_for_root(|| errno(File::open(mount.path("tasks"))));
    assert_eq!(tasks, Some(libc::EACCES));
    let own = mount.path(&format!("pid/{}", mine.pid()));
    assert_eq!(
        me.run_for_root(|| errno(fs::metadata(own))),
        Some(libc::ENOENT)
    );
}

/// A setuid program reads with the rights of its effective user, as with any file.
#[test]
fn a_setuid_program_reads_as_its_owner() {
    let (mount, programs) = (mount(), Programs::new());
    let me = User::fresh();
    let mut raised = programs.start_with(&me, &programs.setuid(), "idle", OsStr::new(""));
    let rows = raised.rows(&mount.path("processes.jsonl"));
    assert!(pids(&rows).contains(&std::process::id()));
}
