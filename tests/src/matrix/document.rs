//! docs/KERNELS.md, from the logs of a run.

use super::guests::Guest;
use super::log::{Binary, Log};
use super::sets::LEFT_OUT;
use super::shapes::{DEFAULT, SHAPED};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A guest and what it sent, if it was booted.
pub type Run = (Guest, Option<Log>);

/// The whole document.
pub fn written(runs: &[Run]) -> String {
    let booted: Vec<(&Guest, &Log)> = runs
        .iter()
        .filter_map(|(guest, log)| Some((guest, log.as_ref()?)))
        .filter(|(_, log)| log.facts.contains_key("release"))
        .collect();
    let kernels: Vec<_> = booted
        .iter()
        .copied()
        .filter(|(guest, _)| guest.shape.name == DEFAULT.name)
        .collect();
    let shapes: Vec<_> = booted
        .iter()
        .copied()
        .filter(|(guest, _)| guest.kernel.suite == SHAPED && guest.shape.name != DEFAULT.name)
        .collect();
    let parts = [
        HEAD.to_owned(),
        machines(runs),
        targets(&kernels, &shapes),
        columns(&kernels, &shapes),
        results("Tests by kernel", &kernels),
        results(
            &format!("Tests by shape, on {}", release(&kernels, SHAPED)),
            &shapes,
        ),
        reasons(&booted),
        failures(&booted),
        left_out(),
    ];
    parts.join("\n")
}

const HEAD: &str =
    "<!-- Written by `make kernels-doc` from a run of `make test-kernels`. Do not edit. -->

# Kernels and machines

`make test-kernels` boots kernels of Debian's suites in an emulator, each on the same
machine, and one of them on machines of other shapes. In each it asks iterfs what it
finds, and runs a set of the tests that `make test` runs here, as far as the time goes
that a guest has (`GUEST_SECONDS`): `not reached` means that the time was over,
`stopped` that the guest ended in the middle of these tests. The emulator is slow, so
that a guest comes further on a machine that does nothing else. Each guest's results are
those of its last run: `make test-kernels GUESTS=trixie` replaces those of one alone.

A test whose subject the kernel lacks reports `not here` with the reason. The tables below
count it neither as passed nor as failed; all reasons are listed.
";

/// The kernel's release in its default shape.
fn release(kernels: &[(&Guest, &Log)], suite: &str) -> String {
    let run = kernels
        .iter()
        .find(|(guest, _)| guest.kernel.suite == suite);
    run.map_or_else(|| suite.to_owned(), |(_, log)| short(log))
}

/// The version without the package's: `6.1.176` of `#1 SMP … Debian 6.1.176-1 (…)`,
/// where `uname -r` says 6.1.0. `7.3~rc7` keeps its end.
fn short(log: &Log) -> String {
    let fact = |name: &str| log.facts.get(name).map_or("?", String::as_str);
    // A kernel that is not Debian's says so with its release alone.
    let package = fact("version").split_once("Debian ");
    let text = package.map_or(fact("release"), |(_, package)| package);
    let end = text.find(['-', '+', ' ']).unwrap_or(text.len());
    text[..end].to_owned()
}

/// What a column of a table is headed with.
fn heading(guest: &Guest, log: &Log) -> String {
    if guest.shape.name == DEFAULT.name {
        short(log)
    } else {
        guest.shape.name.to_owned()
    }
}

fn machines(runs: &[Run]) -> String {
    let mut text =
        "## Machines\n\n| suite | shape | Linux | FUSE | processors | nodes | MiB | lockdown | tests | \
        passed | not here | failed | minutes |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for (guest, log) in runs {
        let Some(log) = log else {
            let _ = writeln!(
                text,
                "| {} | {} | not booted in this run | | | | | | | | | | |",
                guest.kernel.suite, guest.shape.name
            );
            continue;
        };
        let fact = |name: &str| log.facts.get(name).map_or("?", String::as_str);
        let tested: usize = log.binaries.iter().map(Binary::tested).sum();
        let passed: usize = log.binaries.iter().map(|binary| binary.passed).sum();
        let failed: usize = log.binaries.iter().map(failed).sum();
        let seconds: u32 = log.binaries.iter().map(|binary| binary.seconds).sum();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {tested} | {} | {failed}{} | {} |",
            guest.kernel.suite,
            guest.shape.name,
            fact("release"),
            fact("fuse"),
            fact("processors"),
            fact("nodes"),
            fact("memory"),
            fact("lockdown"),
            guest.set.name(),
            passed - tested,
            if log.finished { "" } else { ", then stopped" },
            seconds.div_ceil(60),
        );
    }
    text.push('\n');
    let mut kernels = BTreeSet::new();
    let mut shapes = BTreeSet::new();
    for (guest, _) in runs {
        if kernels.insert(guest.kernel.suite) {
            let _ = writeln!(text, "- {}: {}.", guest.kernel.suite, guest.kernel.reason);
        }
    }
    for (guest, _) in runs {
        if shapes.insert(guest.shape.name) {
            let _ = writeln!(text, "- {}: {}.", guest.shape.name, guest.shape.about);
        }
    }
    let sets: BTreeSet<_> = runs.iter().map(|(guest, _)| guest.set).collect();
    for set in sets {
        let _ = writeln!(text, "- tests of `{}`: {}.", set.name(), set.about());
    }
    text.push_str(
        "\nNo Debian suite has a 6.18 kernel today; `make test` runs on the machine's own kernel.\n",
    );
    text
}

fn failed(binary: &Binary) -> usize {
    binary.failed.len() + usize::from(binary.failed.is_empty() && !binary.is_good())
}

/// A table with a row for each name and a column for each guest.
fn grid(
    title: &str,
    corner: &str,
    guests: &[(&Guest, &Log)],
    rows: &[String],
    cell: impl Fn(&Guest, &Log, &str) -> String,
) -> String {
    let mut text = format!("## {title}\n\n| {corner} |");
    for (guest, log) in guests {
        let _ = write!(text, " {} |", heading(guest, log));
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(guests.len()));
    for row in rows {
        let _ = write!(text, "| {row} |");
        for (guest, log) in guests {
            let _ = write!(text, " {} |", cell(guest, log, row));
        }
        text.push('\n');
    }
    text
}

fn targets(kernels: &[(&Guest, &Log)], shapes: &[(&Guest, &Log)]) -> String {
    let mut rows: Vec<String> = Vec::new();
    let mut reasons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (guest, log) in kernels.iter().chain(shapes) {
        for (name, why) in &log.targets {
            if !rows.contains(name) {
                rows.push(name.clone());
            }
            if let Some(why) = why {
                let key = format!("`{name}`: {}", escaped(why));
                reasons.entry(key).or_default().insert(heading(guest, log));
            }
        }
    }
    let cell =
        |_: &Guest, log: &Log, row: &str| match log.targets.iter().find(|(name, _)| name == row) {
            Some((_, None)) => "yes".to_owned(),
            Some((_, Some(_))) => "no".to_owned(),
            None => "?".to_owned(),
        };
    let mut text = grid("Targets", "target", kernels, &rows, cell);
    text.push_str("\nIn the other shapes (as reported by `iterfs targets`):\n\n");
    let mut by_shape = 0;
    for (guest, log) in shapes {
        let lacking: Vec<_> = log
            .targets
            .iter()
            .filter(|(_, why)| why.is_some())
            .collect();
        if !lacking.is_empty() {
            by_shape += 1;
            let names: Vec<_> = lacking
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let _ = writeln!(text, "- {}: no {}.", guest.shape.name, names.join(", "));
        }
    }
    if shapes.is_empty() {
        text.push_str("- no shape was booted.\n");
    } else if by_shape == 0 {
        text.push_str("- every target that the kernel has.\n");
    }
    text.push_str("\nReasons:\n\n");
    for (reason, guests) in reasons {
        let guests: Vec<_> = guests.into_iter().collect();
        let _ = writeln!(text, "- {reason} ({})", guests.join(", "));
    }
    text
}

/// The columns that are filled on one kernel and empty or missing on another which has
/// the table.
fn columns(kernels: &[(&Guest, &Log)], shapes: &[(&Guest, &Log)]) -> String {
    let all: Vec<_> = kernels.iter().chain(shapes).copied().collect();
    // What is named by a number depends on the guest, not on its kernel.
    let named = |table: &&String| !table.split('/').any(|part| part.parse::<u64>().is_ok());
    let tables: BTreeSet<_> = kernels
        .iter()
        .flat_map(|(_, log)| log.columns.keys())
        .filter(named)
        .collect();
    let mut rows = Vec::new();
    for table in tables {
        let logs: Vec<_> = kernels.iter().map(|(_, log)| *log).collect();
        let mut columns: Vec<&String> = Vec::new();
        for column in logs
            .iter()
            .filter_map(|log| log.columns.get(table))
            .flatten()
        {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        for column in columns {
            let states: BTreeSet<_> = logs.iter().map(|log| state(log, table, column)).collect();
            let filled = states.contains("yes");
            if filled && (states.contains("no") || states.contains("empty")) {
                rows.push(format!("{table} {column}"));
            }
        }
    }
    let cell = |_: &Guest, log: &Log, row: &str| {
        let (table, column) = row.split_once(' ').unwrap_or((row, ""));
        state(log, table, column).to_owned()
    };
    let mut text = grid(
        "Columns that differ",
        "table and column",
        kernels,
        &rows,
        cell,
    );
    text.push_str(
        "\n`empty`: no row in the guest had a value, which may be chance; `no`: the column does not exist.\n",
    );
    for (guest, log) in all {
        for (table, why) in log.unreadable.iter().filter(|(table, _)| named(table)) {
            let why = escaped(why);
            let _ = writeln!(
                text,
                "\n{table} cannot be read on {}: {why}",
                heading(guest, log)
            );
        }
    }
    text
}

fn state(log: &Log, table: &str, column: &str) -> &'static str {
    let has = |list: Option<&Vec<String>>| {
        list.is_some_and(|list| list.iter().any(|other| other == column))
    };
    match log.columns.get(table) {
        None => "no table",
        Some(_) if has(log.empty.get(table)) => "empty",
        Some(list) if has(Some(list)) && log.empty.contains_key(table) => "yes",
        Some(list) if has(Some(list)) => "no rows",
        Some(_) => "no",
    }
}

fn results(title: &str, guests: &[(&Guest, &Log)]) -> String {
    let mut rows: Vec<String> = Vec::new();
    for (guest, _) in guests {
        for name in &guest.tests {
            if !rows.contains(name) {
                rows.push(name.clone());
            }
        }
    }
    let reached = |name: &String| {
        let mut binaries = guests.iter().flat_map(|(_, log)| &log.binaries);
        binaries.any(|binary| binary.name == *name)
    };
    let (mut rows, mut others): (Vec<_>, Vec<_>) = rows.into_iter().partition(reached);
    rows.sort();
    others.sort();
    let cell = |guest: &Guest, log: &Log, row: &str| {
        let Some(binary) = log.binaries.iter().find(|binary| binary.name == row) else {
            let asked = guest.tests.iter().any(|name| name == row);
            return if asked { "not reached" } else { "" }.to_owned();
        };
        let mut parts = Vec::new();
        let tested = binary.tested();
        if tested > 0 {
            parts.push(tested.to_string());
        }
        if binary.passed > tested {
            parts.push(format!("{} not here", binary.passed - tested));
        }
        match (binary.failed.len(), binary.status) {
            (0, Some(0)) => {}
            (0, Some(124 | 137)) => parts.push("**too slow**".into()),
            (0, None) => parts.push("**stopped**".into()),
            (0, Some(status)) => parts.push(format!("**exit {status}**")),
            (failed, _) => parts.push(format!("**{failed} failed**")),
        }
        parts.join(", ")
    };
    let mut text = grid(title, "tests", guests, &rows, cell);
    text.push_str(
        "\nA number is of tests that passed; an empty field, of tests that are not in the \
         guest's set.\n",
    );
    if !others.is_empty() {
        let _ = writeln!(text, "\nReached by no guest: {}.", others.join(", "));
    }
    text
}

fn reasons(booted: &[(&Guest, &Log)]) -> String {
    let mut reasons: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (guest, log) in booted {
        for binary in &log.binaries {
            for (test, reason) in &binary.not_here {
                let tests = reasons.entry(escaped(reason)).or_default();
                let test = format!("`{}::{test}`", binary.name);
                tests.entry(test).or_default().insert(heading(guest, log));
            }
        }
    }
    let mut text = "## Not here\n\n".to_owned();
    if reasons.is_empty() {
        text.push_str("No test lacked anything.\n");
    }
    for (reason, tests) in reasons {
        let _ = writeln!(text, "- {reason}:");
        for (test, guests) in tests {
            let guests: Vec<_> = guests.into_iter().collect();
            let _ = writeln!(text, "  {test} ({});", guests.join(", "));
        }
    }
    text
}

fn failures(booted: &[(&Guest, &Log)]) -> String {
    let mut text = "## Failed\n\n".to_owned();
    let before = text.len();
    for (guest, log) in booted {
        let name = heading(guest, log);
        for binary in &log.binaries {
            for (test, why) in &binary.failed {
                let why = escaped(why);
                let _ = writeln!(text, "- {name}: `{}::{test}`: {why}", binary.name);
            }
            if binary.failed.is_empty() && !binary.is_good() {
                let why = match binary.status {
                    None => "the machine stopped".to_owned(),
                    Some(124 | 137) => format!("not done after {} seconds", binary.seconds),
                    Some(status) => format!("exit status {status}"),
                };
                let _ = writeln!(text, "- {name}: `{}`: {why}", binary.name);
            }
        }
        for (target, why) in log.broken() {
            let _ = writeln!(text, "- {name}: target `{target}`: {}", escaped(why));
        }
        for fault in &log.faults {
            let _ = writeln!(text, "- {name}: {}", escaped(fault));
        }
        if !log.finished {
            let _ = writeln!(text, "- {name}: the machine did not shut down by itself");
        }
    }
    if text.len() == before {
        text.push_str("Nothing.\n");
    }
    text
}

fn left_out() -> String {
    let mut text = "## Run on the machine's own kernel alone\n\n".to_owned();
    for (name, why) in LEFT_OUT {
        let _ = writeln!(text, "- `{name}`: {why}.");
    }
    text
}

/// Text that a cell or an item can hold: one line of limited length, in which nothing is markup.
fn escaped(text: &str) -> String {
    let line = text.replace(['|', '<', '>', '*', '`'], " ");
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(240) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
