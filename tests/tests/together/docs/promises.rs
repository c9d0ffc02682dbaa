//! The documents name tests that are there.
//!
//! A promise or a threat is followed by its tests: `` `tests/FILE: test` `` or
//! `` `fs/ MODULE: test` ``, and `` `test` `` alone for another of the same file. A name may
//! be cut short by `…`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The documents that name tests.
const DOCUMENTS: [&str; 2] = ["docs/SEMANTICS.md", "docs/SECURITY.md"];

/// The functions in the sources below a directory, with the files that have one so called.
fn functions(directory: &Path, found: &mut BTreeMap<String, Vec<String>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines() {
                if let Some(name) = line.trim_start().strip_prefix("fn ")
                    && let Some((name, _)) = name.split_once('(')
                {
                    let files = found.entry(name.to_owned()).or_default();
                    files.push(path.display().to_string());
                }
            }
        }
    }
}

/// The file and the test that a piece of code in a document names, if it names a test.
fn named(code: &str) -> Option<(Option<&str>, &str)> {
    let (place, test) = match code.split_once(": ") {
        Some((place, test)) => {
            let place = place.strip_suffix(".rs").unwrap_or(place);
            (place.rsplit(['/', ' ']).next(), test)
        }
        // Alone: longer than any column, type or function that the documents speak of.
        None => (None, code),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_test = place.is_none_or(|place| place.chars().all(plain))
        && test.trim_end_matches('…').chars().all(plain)
        && (place.is_some() || test.matches('_').count() >= 4);
    is_test.then_some((place, test))
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let mut all = BTreeMap::new();
    for directory in ["tests/tests", "fs", "bpf", "mapping", "mount-helper"] {
        functions(&Path::new(ROOT).join(directory), &mut all);
    }
    let mut checked = 0;
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
        // Every second piece is between backquotes; lines break anywhere.
        for code in text.split('`').skip(1).step_by(2) {
            let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
            let Some((place, test)) = named(&code) else {
                continue;
            };
            checked += 1;
            let is_called = |name: &str| match test.strip_suffix('…') {
                Some(beginning) => name.starts_with(beginning),
                None => name == test,
            };
            // A module may be a file or a folder.
            let is_in = |files: &[String]| {
                place.is_none_or(|place| {
                    let parts = [format!("/{place}.rs"), format!("/{place}/")];
                    let is_part = |file: &String| parts.iter().any(|part| file.contains(part));
                    files.iter().any(is_part)
                })
            };
            let mut found = all.iter().filter(|(name, _)| is_called(name));
            if !found.any(|(_, files)| is_in(files)) {
                missing.push(format!("{document}: {code}"));
            }
        }
    }
    assert!(checked > 150, "{checked} tests are named");
    assert!(missing.is_empty(), "{missing:#?}");
}
