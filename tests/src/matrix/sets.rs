//! The tests that guests run.

use std::fs;
use std::io;
use std::path::Path;

/// Tests that run on the machine's own kernel alone, and why: a file of tests, or one
/// test by its path in its binary.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("docs/bringing", "compiles with clang, which no guest has"),
    ("reading/tools", "needs Node.js, which no guest has"),
    (
        "docs/manual",
        "reads the manual pages; no kernel takes part",
    ),
    (
        "docs/promises",
        "reads documents and sources; no kernel takes part",
    ),
    (
        "alone/load",
        "measures under load, which an emulator distorts",
    ),
    (
        "alone/control_leaks",
        "repeats commands by the thousand, for minutes under emulation",
    ),
    (
        "ctl::user_programs::sequence_numbers_and_bytes_do_not_depend_on_the_reads",
        "reads 250,000 bytes one at a time, for minutes under emulation",
    ),
];

/// Folders whose tests run on each kernel, and files besides: every table and format, and
/// each feature that depends on the kernel.
const EVERYWHERE: &[&str] = &[
    "mounts/mount",
    "kernel/",
    "tables/",
    "alone/counts",
    "output/text_mode",
    "ctl/user_programs",
    "ctl/user_pins",
    "output/formats",
];

/// Those of them that begin, because they say most about a kernel.
const FIRST: &[&str] = &[
    "mounts/mount",
    "kernel/lockdown",
    "tables/tasks",
    "tables/tcp",
    "tables/slabs",
    "tables/files",
    "tables/ksyms",
    "tables/cgroups",
    "tables/maps",
    "tables/element_values",
    "alone/counts",
];

/// Files of tests of the run that .ci/run makes. That every program loads is asked of
/// each guest anyway.
pub const SMALL: &[&str] = &[
    "mounts/mount",
    "kernel/lockdown",
    "tables/tasks",
    "tables/netlink",
    "tables/links",
];

/// Which tests a guest runs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Set {
    /// Those of [`SMALL`].
    Few,
    /// Those that the guest's shape names.
    OfShape,
    /// Those of [`EVERYWHERE`].
    Tables,
    /// All but those that are [`LEFT_OUT`].
    All,
}

impl Set {
    /// Its name, a word.
    pub fn name(self) -> &'static str {
        match self {
            Set::Few => "few",
            Set::OfShape => "shape",
            Set::Tables => "tables",
            Set::All => "all",
        }
    }

    /// The tests in it.
    pub fn about(self) -> &'static str {
        match self {
            Set::Few => "a few tables",
            Set::OfShape => "what depends on the shape",
            Set::Tables => "every table and format, and each feature that depends on the kernel",
            Set::All => "all tests, but for those at the end of this document",
        }
    }

    /// The seconds after which a guest begins no more tests.
    pub(super) fn limit(self) -> u32 {
        match self {
            Set::Few | Set::OfShape => 900,
            Set::Tables => 1800,
            Set::All => 5400,
        }
    }
}

/// Whether tests are of [`Set::Tables`].
pub(super) fn is_everywhere(name: &str) -> bool {
    EVERYWHERE.iter().any(|part| match part.ends_with('/') {
        true => name.starts_with(part),
        false => name == *part,
    })
}

/// The single tests that guests leave out.
pub fn skipped() -> impl Iterator<Item = &'static str> {
    let names = LEFT_OUT.iter().map(|(name, _)| *name);
    names.filter(|name| name.contains("::"))
}

/// Every file of tests that guests can run: those of one table first, which say most
/// about a kernel.
pub(super) fn every_test(checkout: &Path) -> io::Result<Vec<String>> {
    let tests = checkout.join("tests/tests");
    let mut names = files(&tests.join("alone"), "alone")?;
    for entry in fs::read_dir(tests.join("together"))? {
        let path = entry?.path();
        if path.is_dir() {
            let folder = path.file_name().unwrap_or_default().to_string_lossy();
            names.append(&mut files(&path, &folder)?);
        }
    }
    names.retain(|name| LEFT_OUT.iter().all(|(left_out, _)| left_out != name));
    names.push("iterfs_bpf-unit".into());
    names.sort();
    let first = |name: &String| {
        let listed = FIRST.iter().position(|other| other == name);
        let rest = usize::from(!is_everywhere(name));
        listed.unwrap_or(FIRST.len() + rest)
    };
    names.sort_by_key(first);
    Ok(names)
}

/// The files of tests in a folder, as guests name them.
fn files(directory: &Path, folder: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
            && name != "main"
        {
            names.push(format!("{folder}/{name}"));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::shapes::SHAPES;
    use super::*;

    #[test]
    fn every_list_names_files_of_tests() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let shapes = SHAPES.iter().flat_map(|shape| shape.tests);
        let left_out = LEFT_OUT.iter().map(|(name, _)| name);
        let folder = |name: &str| match name.starts_with("alone/") {
            true => tests.clone(),
            false => tests.join("together"),
        };
        let whole = left_out.clone().filter(|name| !name.contains("::"));
        for name in FIRST.iter().chain(SMALL).chain(shapes).chain(whole) {
            let found = folder(name).join(format!("{name}.rs")).is_file();
            assert!(found, "no file of tests {name}");
        }
        for name in EVERYWHERE.iter().filter(|name| name.ends_with('/')) {
            assert!(
                folder(name).join(name).is_dir(),
                "no folder of tests {name}"
            );
        }
        for test in left_out.filter(|name| name.contains("::")) {
            let (module, test) = test.rsplit_once("::").unwrap();
            let file = format!("{}.rs", module.replace("::", "/"));
            let text = fs::read_to_string(folder(&file).join(&file)).unwrap();
            assert!(text.contains(&format!("fn {test}()")), "no test {test}");
        }
    }

    #[test]
    fn a_whole_run_has_each_file_of_tests_once() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let all = every_test(&checkout).unwrap();
        for name in ["alone/load", "docs/manual"] {
            assert!(!all.contains(&name.to_owned()), "{name}");
        }
        for name in ["alone/counts", "tables/tasks", "kernel/lockdown"] {
            let times = all.iter().filter(|other| *other == name).count();
            assert_eq!(times, 1, "{name}");
        }
        assert_eq!(all[0], FIRST[0]);
        for name in EVERYWHERE.iter().filter(|name| !name.ends_with('/')) {
            assert!(all.iter().any(|other| other == name), "{name}");
        }
    }
}
