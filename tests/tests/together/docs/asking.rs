//! The commands of docs/ASKING.md and the README's questions, as they stand there.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::programs;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::mount::installed::finish;
use iterfs_tests::not_here::needs_table;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::Command;

const DOCUMENT: &str = include_str!("../../../../docs/ASKING.md");
const README: &str = include_str!("../../../../README.md");

/// Questions to which the answer of this machine may be nothing: no test makes a thread that
/// hangs in the kernel, segments that are lost, or code that is written to.
const MAYBE_EMPTY: [&str; 4] = [
    "state=disk_sleep",
    "retransmits=1..",
    "perms=rwx*",
    "policy=fifo",
];

/// The indented commands of a document that ask a table.
fn commands(document: &str) -> Vec<&str> {
    let lines = document
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    let asks = lines.filter(|line| line.contains("/mnt/iter/") && line.contains('@'));
    asks.filter(|line| !line.starts_with(['$', 'i']) && !line.starts_with("cat: "))
        .collect()
}

/// The path of the table that a command asks.
fn table(command: &str) -> &str {
    let (_, below) = command.split_once("/mnt/iter/").expect("a path");
    below.split_once('@').expect("a question").0
}

/// Runs each question on a machine where something answers most of them.
#[test]
fn every_question_has_an_answer() {
    let mount = Mount::new();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It stays in the backlog.
    let waiting = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let directory = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    let service = UnixListener::bind(directory.path().join("service")).unwrap();
    let named = fs::File::create(directory.path().join("named")).unwrap();
    let deleted = tempfile::tempfile_in(directory.path()).unwrap();
    // One process with that many descriptors.
    let many = Workload::start("many", &["1".as_ref(), "950".as_ref()]);
    let questions = commands(DOCUMENT);
    assert!(questions.len() >= 24, "{questions:?}");
    for question in questions {
        let path = table(question).replace("$$", "2");
        if !path.starts_with("pid/") && !needs_table(&mount, &path) {
            continue;
        }
        let script = question
            .replace("/mnt/iter", mount.directory().to_str().unwrap())
            .replace("local_port=443", &format!("local_port={port}"));
        let outcome = finish(Command::new("sh").args(["-ec", &script]));
        assert_eq!(
            (outcome.code, &*outcome.complaint),
            (Some(0), ""),
            "{question}"
        );
        let rows = outcome.output.lines().count();
        let may_be_empty = MAYBE_EMPTY.iter().any(|part| question.contains(part));
        assert!(
            rows >= if may_be_empty { 1 } else { 2 },
            "{question}: {outcome:?}"
        );
    }
    drop((waiting, service, named, deleted, many));
}

#[test]
fn the_explanations_are_those_of_the_daemon() {
    let mount = Mount::new();
    let (_, section) = DOCUMENT.split_once("## Mistakes").unwrap();
    let (section, _) = section.split_once("## Twenty").unwrap();
    let explain = |name: &str| {
        let mut command = Command::new(programs::iterfs());
        finish(command.arg("explain").arg(mount.path(name)))
    };
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let document = squeezed(section);
    let wrong = explain("net/tcp@state=LISTN");
    assert!(document.contains(&squeezed(&wrong.complaint)), "{wrong:?}");
    let right = explain("processes@top=3:rss,uid=0,pid,comm,rss");
    assert!(document.contains(&squeezed(&right.output)), "{right:?}");
}

#[test]
fn the_readme_asks_what_the_chapter_asks() {
    let questions = commands(DOCUMENT);
    let asked = README
        .lines()
        .filter_map(|line| line.strip_prefix("    cat '"));
    let mut count = 0;
    for line in asked {
        let command = format!("cat '{line}");
        let command = command.split("  #").next().unwrap().trim_end();
        assert!(questions.contains(&command), "{command}");
        count += 1;
    }
    assert_eq!(count, 3);
}
