//! What a guest sent: the lines that tests/vm/guest writes, and libtest's between.

use std::collections::BTreeMap;

/// What is known of a guest after its end.
#[derive(Debug, Default)]
pub struct Log {
    /// Facts by name: `release`, `fuse`, `processors`, `nodes`, `memory`, `lockdown`.
    pub facts: BTreeMap<String, String>,
    /// Targets by name: nothing if the kernel has it and its programs load, or why not.
    pub targets: Vec<(String, Option<String>)>,
    /// The output of `iterfs check`.
    pub check: Vec<String>,
    /// Columns of each table that can be read.
    pub columns: BTreeMap<String, Vec<String>>,
    /// Columns that are empty in each row of a table that has rows.
    pub empty: BTreeMap<String, Vec<String>>,
    /// Tables that are there and cannot be read, and why.
    pub unreadable: BTreeMap<String, String>,
    /// The files of tests, or binaries, that were begun.
    pub binaries: Vec<Binary>,
    /// What the guest itself could not do, and what its kernel complained of.
    pub faults: Vec<String>,
    /// Whether it came to its end.
    pub finished: bool,
}

/// The run of a file of tests, or of a whole binary.
#[derive(Debug, Default)]
pub struct Binary {
    /// Its name, as the guest's list has it.
    pub name: String,
    /// Its exit status, 124 if it took too long; none if the guest ended first.
    pub status: Option<i32>,
    /// How long it took.
    pub seconds: u32,
    /// Tests that passed, those among them that had nothing to do included.
    pub passed: usize,
    /// Tests that failed, each with the first line of why.
    pub failed: Vec<(String, String)>,
    /// Tests that the kernel lacks something for, and what.
    pub not_here: Vec<(String, String)>,
}

impl Binary {
    /// A test's name without the module that the whole run is of: `tables::slabs::nothing`
    /// is `nothing` in the run of `tables/slabs`.
    fn own_name(&self, test: &str) -> String {
        let file = self.name.strip_prefix("alone/").unwrap_or(&self.name);
        let module = file.replace('/', "::") + "::";
        test.strip_prefix(&module).unwrap_or(test).to_owned()
    }

    /// Whether it came to its end and nothing failed.
    pub fn is_good(&self) -> bool {
        self.status == Some(0)
    }

    /// Tests that passed and did something.
    pub fn tested(&self) -> usize {
        let mut names: Vec<_> = self.not_here.iter().map(|(name, _)| name).collect();
        names.dedup();
        self.passed.saturating_sub(names.len())
    }
}

impl Log {
    /// Targets that the kernel has and for which a program does not load, with the
    /// reason. A locked kernel refuses programs on purpose.
    pub fn broken(&self) -> impl Iterator<Item = (&str, &str)> {
        let locked = self
            .facts
            .get("lockdown")
            .is_some_and(|level| level == "confidentiality");
        let refused = self
            .targets
            .iter()
            .filter_map(|(name, why)| Some((name.as_str(), why.as_deref()?)));
        refused.filter(move |(_, why)| !locked && !why.contains("has no iterator"))
    }
}

/// Reads a log.
pub fn parse(text: &str) -> Log {
    let mut log = Log::default();
    // Between "@@begin NAME" and "@@end NAME STATUS SECONDS".
    let mut section: Option<String> = None;
    for line in text.lines().map(str::trim_end) {
        let Some(at) = line.find("@@") else {
            output(&mut log, section.as_deref(), line);
            continue;
        };
        // A program that ended in the middle of a line has it before ours.
        let (word, rest) = line[at + 2..]
            .split_once(' ')
            .unwrap_or((&line[at + 2..], ""));
        match word {
            "begin" => {
                section = Some(rest.to_owned());
                if !["targets", "check"].contains(&rest) {
                    log.binaries.push(Binary {
                        name: rest.to_owned(),
                        ..Binary::default()
                    });
                }
            }
            "end" => {
                section = None;
                let mut words = rest.split(' ').skip(1);
                let mut number = || words.next().and_then(|word| word.parse().ok());
                let status: Option<i32> = number();
                let seconds = number().unwrap_or(0);
                let name = rest.split(' ').next().unwrap_or_default();
                if let Some(binary) = log.binaries.last_mut().filter(|last| last.name == name) {
                    binary.status = status;
                    binary.seconds = seconds.unsigned_abs();
                }
            }
            "not-here" => {
                if let Some((test, reason)) = rest.split_once(": ")
                    && let Some(binary) = log.binaries.last_mut()
                {
                    let test = binary.own_name(test);
                    binary.not_here.push((test, reason.into()));
                }
            }
            "columns" | "empty" => {
                let mut words = rest.split_whitespace().map(str::to_owned);
                let lists = match word {
                    "columns" => &mut log.columns,
                    _ => &mut log.empty,
                };
                if let Some(table) = words.next() {
                    lists.insert(table, words.collect());
                }
            }
            "unreadable" => {
                let (table, why) = rest.split_once(' ').unwrap_or((rest, ""));
                log.unreadable.insert(table.into(), why.into());
            }
            // Whatever is not in the log was not reached.
            "unreached" => {}
            "fault" | "kernel" => log.faults.push(rest.to_owned()),
            "finished" => log.finished = true,
            _ => {
                log.facts.insert(word.into(), rest.into());
            }
        }
    }
    log
}

/// A line between two of the guest's own.
fn output(log: &mut Log, section: Option<&str>, line: &str) {
    match section {
        Some("targets") => {
            let mut words = line.split_whitespace();
            if let (Some(name), Some(here), _) = (words.next(), words.next(), words.next())
                && ["yes", "no"].contains(&here)
            {
                let why = words.collect::<Vec<_>>().join(" ");
                log.targets
                    .push((name.into(), (here == "no").then_some(why)));
            }
        }
        Some("check") => log.check.push(line.to_owned()),
        Some(_) => {
            if let Some(binary) = log.binaries.last_mut() {
                libtest(binary, line);
            }
        }
        None => {}
    }
}

/// A line of libtest's.
fn libtest(binary: &mut Binary, line: &str) {
    if let Some(name) = line
        .strip_prefix("test ")
        .and_then(|rest| rest.split(" ... ").next())
        && line.contains(" ... ")
    {
        if line.ends_with(" ok") {
            binary.passed += 1;
        } else if line.ends_with("FAILED") {
            let name = binary.own_name(name);
            binary.failed.push((name, String::new()));
        }
        return;
    }
    // Of each test that failed there is a block: "---- NAME stdout ----", then, among
    // other lines, "thread 'ANY' (7) panicked at FILE:LINE:" and a line with the reason.
    if let Some(rest) = line.strip_prefix("---- ") {
        let name = binary.own_name(rest.trim_end_matches(" stdout ----"));
        // Moved to the end: the lines that follow are of this one.
        if let Some(at) = binary.failed.iter().position(|(failed, _)| *failed == name) {
            let failed = binary.failed.remove(at);
            binary.failed.push(failed);
        }
        return;
    }
    let Some((_, why)) = binary.failed.last_mut() else {
        return;
    };
    if let Some((_, at)) = line.split_once("panicked at ")
        && why.is_empty()
    {
        *why = at.trim_end_matches(':').to_owned() + ": ";
    } else if why.ends_with(": ") && !line.is_empty() {
        why.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "@@release 6.1.0
@@fuse module
@@begin targets
target             here tables           why
task               yes  tasks            -
ksym               no   ksyms            this kernel has no iterator for ksym
tcp                no   tcp              cannot load the program of tcp
@@end targets 0 0
@@columns tasks pid tid
@@empty tasks tid
@@unreadable kernel/ksyms head: Operation not permitted
@@begin tables/slabs

running 2 tests
test tables::slabs::nothing ... ok
test tables::slabs::something ... FAILED

failures:

---- tables::slabs::something stdout ----

thread '<unnamed>' (277) panicked at tests/tests/together/tables/slabs.rs:69:9:
assertion failed: 1 == 2
note: run with `RUST_BACKTRACE=1`

@@not-here tables::slabs::nothing: the kernel has no target for kernel/slabs
@@end tables/slabs 101 7
@@begin alone/counts
test counts::programs_stay_small ... FAILED
torn line@@kernel BUG: unable to handle
";

    #[test]
    fn a_log_is_read() {
        let log = parse(TEXT);
        assert_eq!(log.facts["release"], "6.1.0");
        let missing = "this kernel has no iterator for ksym".to_owned();
        assert_eq!(
            log.targets,
            [
                ("task".into(), None),
                ("ksym".into(), Some(missing)),
                ("tcp".into(), Some("cannot load the program of tcp".into())),
            ]
        );
        let broken: Vec<_> = log.broken().collect();
        assert_eq!(broken, [("tcp", "cannot load the program of tcp")]);
        assert_eq!(log.columns["tasks"], ["pid", "tid"]);
        assert_eq!(log.empty["tasks"], ["tid"]);
        assert_eq!(
            log.unreadable["kernel/ksyms"],
            "head: Operation not permitted"
        );
        let [slabs, counts] = &log.binaries[..] else {
            panic!("{log:?}")
        };
        assert_eq!((slabs.status, slabs.seconds), (Some(101), 7));
        assert_eq!((slabs.passed, slabs.tested()), (1, 0));
        assert_eq!(slabs.not_here[0].0, "nothing");
        let why = "tests/tests/together/tables/slabs.rs:69:9: assertion failed: 1 == 2".to_owned();
        assert_eq!(slabs.failed, [("something".to_owned(), why)]);
        assert_eq!((counts.status, counts.is_good()), (None, false));
        assert_eq!(counts.failed[0].0, "programs_stay_small");
        assert_eq!(log.faults, ["BUG: unable to handle"]);
        assert!(!log.finished);
    }
}
