//! The command `iterfs`: its help, its completions, and its access to a mount.

use iterfs_tests::fixtures::programs;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::mount::installed::{Outcome, finish};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

fn iterfs<A: AsRef<OsStr>>(arguments: &[A]) -> Outcome {
    finish(Command::new(programs::iterfs()).args(arguments))
}

/// `iterfs ctl` for a mount, in a working directory.
fn ctl(control: &Control, at: &Path, words: &[&str]) -> Outcome {
    let mut command = Command::new(programs::iterfs());
    let command = command.arg("ctl").arg(control.mount().directory());
    finish(command.args(words).current_dir(at))
}

fn failed(outcome: Outcome) -> String {
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.output, "");
    outcome.complaint
}

#[test]
fn a_command_is_given_and_its_outcome_is_printed() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let here = workshop.path("");
    fs::create_dir(workshop.path("a b")).unwrap();
    fs::rename(workshop.word("old"), workshop.path("a b/old.o")).unwrap();
    let done = |words: &[&str], expected: &str| {
        let outcome = ctl(&control, &here, words);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!((&*outcome.output, &*outcome.complaint), (expected, ""));
    };
    // The daemon has another working directory.
    done(&["load", "w", "a b/old.o", "say"], "loaded user/w\n");
    assert_eq!(control.mount().text("user/w"), "old\n");
    let at = workshop.word("new");
    let updated = format!("user/w: updated from {}\n", at.display());
    done(&["update", "user/w", "new.o"], &updated);
    assert_eq!(control.mount().text("user/w"), "new\n");
    let pin = control.pins().path("user/w");
    let pinned = format!("pinned user/w at {}\n", pin.display());
    done(&["pin", "user/w"], &pinned);
    done(&["unpin"], "unpinned 1 link\n");
    done(&["reload"], "reloaded the configuration\n");
    done(
        &["update", "tasks", "default"],
        "tasks: back to its own program\n",
    );
    done(&["unload", "w"], "unloaded user/w\n");
    let report = ctl(&control, &here, &[]);
    assert_eq!(report.code, Some(0));
    assert!(report.output.starts_with("path "), "{report:?}");
}

#[test]
fn the_reason_is_printed_where_a_command_fails() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let here = workshop.path("");
    let reason = failed(ctl(&control, &here, &["unload", "nobody"]));
    assert_eq!(reason, "iterfs: ENOENT: no table user/nobody\n");
    let reason = failed(ctl(&control, &here, &["load", "w", "no.o"]));
    assert!(
        reason.contains("ENOENT: ") && reason.contains("no.o"),
        "{reason}"
    );
    workshop.compile("refused", "refused", &[]);
    let reason = failed(ctl(&control, &here, &["load", "w", "refused.o"]));
    assert!(
        reason.starts_with("iterfs: EACCES: cannot load the program of "),
        "{reason}"
    );
    assert!(
        reason.contains("processed "),
        "what the verifier says: {reason}"
    );

    let elsewhere = failed(iterfs(&["ctl", "/tmp", "reload"]));
    assert!(
        elsewhere.contains("/tmp/ctl: give the directory"),
        "{elsewhere}"
    );
    let user = User::fresh();
    let mut command = user.command(programs::iterfs());
    let command = command.arg("ctl").arg(control.mount().directory());
    let denied = failed(finish(command.arg("reload")));
    assert!(denied.contains("only root"), "{denied}");
    let read_only = Control::with_pins(Default::default(), "ro");
    let reason = failed(ctl(&read_only, &here, &["reload"]));
    assert!(reason.contains("read-only"), "{reason}");
    assert_eq!(ctl(&read_only, &here, &[]).code, Some(0));
}

#[test]
fn columns_of_user_tables_are_described() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let rows = workshop.compile("rows", "rows", &[]);
    let name = format!("rows_{}", std::process::id());
    control.command(&format!("load {name} {}", rows.display()));
    control.command(&format!(
        "load text_{name} {}",
        workshop.word("w").display()
    ));
    let below = |path: &str| control.mount().path(path).into_os_string();
    let expected = [
        "A row is a row that is always the same.",
        "number    a number",
        "          (number)",
    ];
    let described = |path: &OsStr| {
        let outcome = iterfs(&[OsStr::new("columns"), path]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.output
    };
    let link = workshop.path("link");
    symlink(control.mount().directory(), &link).unwrap();
    // If there are several mounts, the command asks the one that has the table.
    for path in [
        OsStr::new(&format!("user/{name}")),
        OsStr::new(&format!("user/{name}.csv")),
        &below(&format!("user/{name}")),
        &below(&format!("user/{name}.json")),
        link.join("user").join(&name).as_os_str(),
    ] {
        let text = described(path);
        let lines: Vec<_> = text.lines().take(3).collect();
        assert_eq!(lines, expected, "{path:?}");
        assert_eq!(text.lines().count(), 1 + 2 * 9, "{text}");
    }
    // Below a mount, the command describes the program that stands in the table's place.
    let own = described("tasks".as_ref());
    assert_eq!(described(&below("tasks")), own);
    assert_eq!(described(&below("pid/1/tasks.json")), own);
    control.command(&format!("update tasks {}", rows.display()));
    assert!(described(&below("tasks")).starts_with(expected[0]));
    assert_eq!(described("tasks".as_ref()), own);
    let user = User::fresh();
    let mut command = user.command(programs::iterfs());
    let outcome = finish(command.arg("columns").arg(below("net/tcp")));
    assert_eq!(outcome.output, described("net/tcp".as_ref()), "{outcome:?}");

    let told = |path: &OsStr| failed(iterfs(&[OsStr::new("columns"), path]));
    let text = told(&below(&format!("user/text_{name}")));
    assert!(text.contains("prints text itself"), "{text}");
    let missing = told(&below("user/nobody"));
    let directory = control.mount().directory().display();
    assert!(missing.contains(&format!("no table user/nobody below {directory}")));
    assert!(told(&below("net")).contains("no table 'net'"));
    assert!(told("/etc/passwd".as_ref()).contains("not below a mounted iterfs"));
    assert!(told("nothing".as_ref()).contains("no table 'nothing'"));
}

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:");
    let commands = commands.skip(1).take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// Every command that is listed has a help of its own, by both ways to ask for it.
#[test]
fn no_help_leads_nowhere() {
    let mut all = String::new();
    let help = |words: &[&str]| {
        let outcome = iterfs(words);
        assert_eq!(
            (outcome.code, &*outcome.complaint),
            (Some(0), ""),
            "{words:?}"
        );
        assert!(outcome.output.contains("Usage: iterfs"), "{words:?}");
        outcome.output
    };
    let top = listed(&help(&["help"]));
    assert_eq!(
        top,
        [
            "mount",
            "targets",
            "ls",
            "columns",
            "explain",
            "top",
            "ctl",
            "check",
            "completions",
            "help"
        ]
    );
    for command in top.iter().filter(|command| *command != "help") {
        let text = help(&["help", command]);
        all += &format!("$ iterfs help {command}\n{text}\n");
        assert_eq!(help(&[command, "--help"]), text, "{command}");
        for below in listed(&text).iter().filter(|below| *below != "help") {
            assert_eq!(command, "ctl");
            let text = help(&["help", command, below]);
            all += &format!("$ iterfs help {command} {below}\n{text}\n");
            assert_eq!(help(&[command, "/mnt", below, "--help"]), text, "{below}");
        }
    }
    for (words, advice) in [
        (&["mount"][..], "see: iterfs help mount\n"),
        (&["columns"], "see: iterfs help columns\n"),
        (&["ctl", "/mnt", "load"], "see: iterfs help ctl load\n"),
        (&["dance"], "see: iterfs --help\n"),
        (&[], "see: iterfs --help\n"),
    ] {
        let outcome = iterfs(words);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert_eq!(outcome.complaint.lines().count(), 1, "{outcome:?}");
        assert!(outcome.complaint.ends_with(advice), "{outcome:?}");
        all += &format!("$ iterfs {}\n{}\n", words.join(" "), outcome.complaint);
    }
    insta::assert_snapshot!("help", all);
}

#[test]
fn completions_offer_what_is_for_users() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = iterfs(&["completions", shell]);
        assert_eq!(outcome.code, Some(0), "{shell}");
        for offered in ["mount", "ctl", "unload", "columns", "namespace"] {
            assert!(outcome.output.contains(offered), "{shell}: {offered}");
        }
        for hidden in [
            "load-object",
            "daemon\\b",
            "l daemon",
            "--daemon",
            "'tables'",
        ] {
            assert!(!outcome.output.contains(hidden), "{shell}: {hidden}");
        }
    }
    // The words that bash's completion offers.
    let completions = iterfs(&["completions", "bash"]).output;
    let offered = |words: &str| {
        let script = format!(
            "{completions}\nCOMP_WORDS=({words} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _iterfs iterfs '' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let outcome = finish(Command::new("bash").args(["-c", &script]));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.output
    };
    let top = offered("iterfs");
    assert!(top.lines().any(|word| word == "ctl"), "{top}");
    let commands = offered("iterfs ctl");
    assert!(commands.lines().any(|word| word == "reload"), "{commands}");
}
