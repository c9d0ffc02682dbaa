//! The examples of docs/BRINGING-A-PROGRAM.md and the README, as they stand there.

use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::oracles::columns::{Columns, find};
use iterfs_tests::oracles::proc;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const DOCUMENT: &str = include_str!("../../../../docs/BRINGING-A-PROGRAM.md");

const README: &str = include_str!("../../../../README.md");

/// The first block of a language.
fn block<'a>(document: &'a str, language: &str) -> &'a str {
    let begin = format!("```{language}\n");
    let (_, after) = document.split_once(&begin).expect("such a block");
    after.split_once("```").expect("its end").0
}

#[test]
fn the_documents_example_works_as_it_stands() {
    let workshop = Workshop::new();
    fs::write(workshop.path("threads.bpf.c"), block(DOCUMENT, "c")).unwrap();
    let made = Command::new("sh")
        .args(["-ec", block(DOCUMENT, "sh")])
        .current_dir(workshop.path(""))
        // The compiler searches the directories of libbpf-dev and `make install` anyway.
        .env("CPATH", workshop.path("include"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");

    let control = Control::new();
    let object = workshop.path("threads.o");
    control.command(&format!("load threads {}", object.display()));
    let mount = control.mount();
    let mut names: Vec<_> = fs::read_dir(mount.path("user"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut listed = DOCUMENT
        .lines()
        .skip_while(|line| !line.ends_with("ls /mnt/iter/user"));
    let listed: Vec<_> = listed.nth(1).unwrap().split_whitespace().collect();
    assert_eq!(names, listed);
    let mut header = DOCUMENT
        .lines()
        .skip_while(|line| !line.contains("head -3 /mnt/iter/user"));
    assert_eq!(mount.text("user/threads").lines().next(), header.nth(1));

    let workload = Workload::start("idle", &[]);
    let directory = proc::process(workload.pid());
    let stat = proc::Stat::read(&directory).unwrap();
    let rows = mount.rows("user/threads");
    let row = find(&rows, &[("tid", workload.pid().into())]);
    let started = stat.number(22) as u64 * proc::TICK;
    let status = proc::Status::read(&directory);
    Columns::of(row)
        .is("tid", workload.pid())
        .is("kind", "user")
        .between("started", started, started + proc::TICK)
        .is("memory", status.number("VmSize", 0) * 1024)
        .is("comm", "workload")
        .done();
    let kernel = find(&rows, &[("tid", 2.into())]);
    assert_eq!(
        (&kernel["kind"], &kernel["memory"]),
        (&"kernel".into(), &Value::Null)
    );
    let array: Value = serde_json::from_slice(&mount.read("user/threads.json")).unwrap();
    let same = array.as_array().unwrap().iter();
    assert!(same.filter(|other| other["tid"] == row["tid"]).count() == 1);
    let csv = mount.text("user/threads.csv");
    assert!(csv.starts_with("tid,kind,started,memory,comm\r\n"), "{csv}");
    assert!(csv.contains(&format!("\r\n{},user,", workload.pid())));
}

#[test]
fn the_readmes_session_works_as_it_stands() {
    let (_, section) = README.split_once("## Programs of your own").unwrap();
    let workshop = Workshop::new();
    fs::write(workshop.path("hello.bpf.c"), block(section, "c")).unwrap();
    let control = Control::new();
    let session = block(section, "console");
    let lines = session.lines();
    let (commands, output): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("# "));
    let commands: Vec<_> = commands.iter().map(|command| &command[2..]).collect();
    let at = |path: &Path| path.to_str().unwrap().to_owned();
    let script = commands
        .join("\n")
        .replace("/root/", &at(&workshop.path("")))
        .replace("/mnt/iter", &at(control.mount().directory()))
        .replace("/sys/fs/bpf/iterfs", &at(control.pins().directory()));
    let done = Command::new("sh")
        .args(["-ec", &script])
        .current_dir(workshop.path(""))
        .env("CPATH", workshop.path("include"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), output);
    assert_eq!(
        fs::read_dir(control.mount().path("user")).unwrap().count(),
        0
    );
}
