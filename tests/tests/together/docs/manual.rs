//! The manual page names every command, option and table.

use iterfs_mapping::{Place, TABLES};
use iterfs_tests::{fixtures::programs, mount::installed::finish};
use std::process::Command;

const PAGE: &str = include_str!("../../../../docs/iterfs.8");

fn help(arguments: &[&str]) -> String {
    let outcome = finish(
        Command::new(programs::iterfs())
            .args(arguments)
            .arg("--help"),
    );
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.output
}

/// The first words of the indented lines below a heading.
fn listed(help: &str, heading: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_is_in_the_manual() {
    let commands = listed(&help(&[]), "Commands:");
    assert!(commands.contains(&"mount".to_owned()), "{commands:?}");
    for command in commands {
        let item = format!(".It Cm {command}");
        let found = PAGE
            .lines()
            .any(|line| line == item || line.starts_with(&format!("{item} ")));
        assert!(found, "{command}");
    }
}

#[test]
fn every_option_is_in_the_manual() {
    for arguments in [
        &[][..],
        &["mount"],
        &["columns"],
        &["targets"],
        &["check"],
        &["ls"],
        &["explain"],
        &["top"],
    ] {
        let help = help(arguments);
        let words = help.split(|c: char| c.is_whitespace() || c == ',' || c == '[' || c == ']');
        let options: Vec<_> = words.filter(|word| word.starts_with('-')).collect();
        assert!(options.contains(&"--help"), "{arguments:?}: {options:?}");
        for option in options.into_iter().filter(|option| option.len() > 1) {
            // mdoc writes -x as `Fl x` and --long as `Fl \-long`.
            let written = match option.strip_prefix("--") {
                Some(long) => format!("\\-{long}"),
                None => format!("Fl {}", &option[1..]),
            };
            assert!(PAGE.contains(&written), "{arguments:?}: {option}");
        }
    }
}

#[test]
fn every_table_is_in_the_manual() {
    for table in TABLES {
        for place in table.places {
            let item = match place {
                Place::Root => format!(".It Pa {}\n", table.name),
                Place::Process => format!("Ns Pa /{}\n", table.name),
                Place::Net => format!(".It Pa net/{}\n", table.name),
                Place::Bpf => format!(".It Pa bpf/{}\n", table.name),
                Place::Map => format!("Ns Pa /{}\n", table.name),
                Place::Cgroup => format!("Ns Pa /{}\n", table.name),
                Place::Kernel => format!(".It Pa kernel/{}\n", table.name),
                Place::Summary => format!(".It Pa summary/{}\n", table.name),
            };
            assert!(PAGE.contains(&item), "{item}");
        }
    }
}

/// The paths that a path with braces stands for, as in a shell.
fn expanded(path: &str) -> Vec<String> {
    let Some((head, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let (list, tail) = rest.split_once('}').expect("a closing brace");
    let members = list.split(',');
    members
        .flat_map(|member| expanded(&format!("{head}{member}{tail}")))
        .collect()
}

#[test]
fn every_table_is_in_the_readme() {
    let readme = include_str!("../../../../README.md");
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    let listed: Vec<_> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap_or("").split('`'))
        .flat_map(expanded)
        .collect();
    for table in TABLES {
        for place in table.places {
            let directory = match place {
                Place::Root => "",
                Place::Process => "pid/<n>/",
                Place::Net => "net/",
                Place::Bpf => "bpf/",
                Place::Map => "bpf/map/<id>/",
                Place::Cgroup => "cgroup/<path>/",
                Place::Kernel => "kernel/",
                Place::Summary => "summary/",
            };
            let path = format!("{directory}{}", table.name);
            assert!(listed.contains(&path), "README.md does not list {path}");
        }
    }
}

#[test]
fn the_reference_of_the_tables_is_current() {
    let written = Command::new(programs::iterfs())
        .arg("tables")
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    let reference = include_str!("../../../../docs/TABLES.md");
    assert!(
        String::from_utf8(written.stdout).unwrap() == reference,
        "docs/TABLES.md is not what the programs say; write it with: make docs"
    );
}
