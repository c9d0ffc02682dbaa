//! `iterfs top`: on a terminal, and without one.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::programs;
use iterfs_tests::fixtures::running::Running;
use iterfs_tests::fixtures::terminal::Terminal;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::mount::installed::finish;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// The escape sequences that enter and leave the alternate screen (xterm's private mode 1049).
const ENTERED: &str = "\x1b[?1049h";
const LEFT: &str = "\x1b[?1049l";

fn top(mount: &Mount, table: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(programs::iterfs());
    command.arg("top").args(arguments).arg(mount.path(table));
    command
}

/// A name that asks for these columns of this process alone.
fn one(columns: &str) -> String {
    format!("processes@pid={},{columns}", std::process::id())
}

/// A thread that burns processor time has a rate; one that sleeps has none.
#[test]
fn rates_are_those_of_the_counters() {
    let mount = Mount::new();
    let workload = Workload::start("threads", &[]);
    let table = format!("tasks@pid={},utime,stime,comm", workload.pid());
    let outcome = finish(&mut top(&mount, &table, &["-n", "2", "-d", "500ms"]));
    assert_eq!(
        (outcome.code, &*outcome.complaint),
        (Some(0), ""),
        "{outcome:?}"
    );
    let (first, second) = outcome.output.split_once("\n\n").expect("two tables");
    let header: Vec<_> = first.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["utime", "utime/s", "stime", "stime/s", "comm"]);
    let first: Vec<Vec<_>> = first
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(
        first.len() > 1 && first.iter().all(|row| row[1] == "-" && row[3] == "-"),
        "{first:?}"
    );
    let second: Vec<Vec<_>> = second
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let rate = |text: &str| {
        text.strip_suffix('%')
            .expect("a share")
            .parse::<f64>()
            .unwrap()
    };
    let total = |row: &[&str]| rate(row[1]) + rate(row[3]);
    let busy: Vec<_> = second.iter().filter(|row| total(row) > 0.0).collect();
    assert_eq!(busy.len(), 1, "one thread burns: {second:?}");
    assert!(total(busy[0]) <= 105.0, "{busy:?}");
}

#[test]
fn an_unprivileged_reader_needs_no_daemon_to_help() {
    let mount = Mount::with_options("mode=0444");
    let mut command = User::fresh().command(programs::iterfs());
    command.args(["top", "-n", "1"]);
    let outcome = finish(command.arg(mount.path(&one("comm"))));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.output.lines().count(), 2, "{outcome:?}");
}

#[test]
fn what_cannot_be_shown_is_told_in_one_line() {
    let mount = Mount::new();
    for (table, reason) in [
        ("net/tcp@state=LISTN", "did you mean LISTEN?"),
        ("net/nothing", "there is no such table"),
        ("net/tcp@=", "the term is empty"),
    ] {
        let outcome = finish(&mut top(&mount, table, &["-n", "1"]));
        assert_eq!(
            (outcome.code, &*outcome.output),
            (Some(1), ""),
            "{outcome:?}"
        );
        assert_eq!(outcome.complaint.lines().count(), 1, "{outcome:?}");
        assert!(outcome.complaint.contains(reason), "{outcome:?}");
    }
    let outcome = finish(&mut top(&mount, "tasks", &["-d", "1"]));
    assert!(
        outcome.complaint.contains("invalid delay '1'"),
        "{outcome:?}"
    );
}

/// Plain tables go on until nobody reads them.
#[test]
fn a_pipe_gets_plain_tables_until_it_closes() {
    let mount = Mount::new();
    let mut command = top(&mount, &one("pid"), &["-d", "20ms"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap().trim().to_owned();
    let pid = std::process::id().to_string();
    for _ in 0..3 {
        assert_eq!([line(), line(), line()], ["pid", &*pid, ""]);
    }
    drop(lines);
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn a_terminal_is_drawn_on_and_given_back() {
    let mount = Mount::new();
    let workload = Workload::start("idle", &[]);
    let table = format!("processes@pid={},comm,rss", workload.pid());
    let mut terminal = Terminal::start(top(&mount, &table, &["-d", "50ms"]), 80, 24);
    terminal.next(ENTERED);
    let drawn = terminal.next("workload");
    assert!(
        drawn.contains(&format!("{table}: 1 rows every 50ms")),
        "{drawn}"
    );
    // The header is in reverse.
    assert!(drawn.contains("\x1b[7mcomm "), "{drawn}");
    assert!(terminal.is_raw());
    // It is drawn again and again.
    for _ in 0..3 {
        terminal.next("workload");
    }
    terminal.press("q");
    assert!(terminal.ended().success());
    terminal.next(LEFT);
    assert!(terminal.is_as_before());
}

#[test]
fn keys_sort_and_the_size_follows_the_terminal() {
    let mount = Mount::new();
    let mut terminal = Terminal::start(top(&mount, "processes@pid,comm", &["-d", "1d"]), 120, 10);
    terminal.next("rows every");
    terminal.press(">");
    terminal.next("largest pid first");
    terminal.press("r");
    terminal.next("smallest pid first");
    terminal.press("\x1b[C");
    terminal.next("smallest comm first");
    // With a line for a row, and a title that is cut off.
    terminal.resize(20, 3);
    let drawn = terminal.next("\x1b[3;1H");
    assert!(!drawn.contains("rows every 86400s"), "{drawn}");
    terminal.resize(60, 5);
    terminal.next("\x1b[5;1H");
    terminal.press("\x03");
    assert!(terminal.ended().success());
    assert!(terminal.is_as_before());
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let mount = Mount::new();
    let mut terminal = Terminal::start(top(&mount, &one("pid,comm"), &[]), 80, 24);
    terminal.next("rows every");
    assert!(terminal.is_raw());
    kill(Pid::from_raw(terminal.pid() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(terminal.ended().signal(), Some(Signal::SIGTERM as i32));
    terminal.next(LEFT);
    assert!(terminal.is_as_before());
}

/// The end of the mount is an error, which is seen on the terminal as it was before.
#[test]
fn the_end_of_the_mount_ends_the_display() {
    let mount = Mount::new();
    let mut terminal = Terminal::start(top(&mount, &one("pid,comm"), &["-d", "50ms"]), 80, 24);
    terminal.next("rows every");
    drop(mount);
    assert_eq!(terminal.ended().code(), Some(1));
    terminal.next(LEFT);
    terminal.next("iterfs: ");
    assert!(terminal.is_as_before());
}
