//! The files of a test binary, beside what its `main.rs` makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Fails unless `main`, the text of a test binary's `main.rs`, names each file in the
/// binary's folder as a module. (A module without a file does not compile.)
pub fn check(binary: &str, main: &str) {
    let folder = folder(binary);
    let found: BTreeSet<PathBuf> = files(&folder)
        .iter()
        .filter_map(|path| Some(path.strip_prefix(&folder).ok()?.to_owned()))
        .filter(|path| path != Path::new("main.rs"))
        .collect();
    assert!(!found.is_empty(), "no file in {}", folder.display());
    assert_eq!(named(main), found, "in {}", folder.display());
}

/// The tests of a binary, `main.rs` aside: for each the name, and the text behind the
/// brace that begins the function.
pub fn tests(binary: &str) -> Vec<(String, String)> {
    let folder = folder(binary);
    let files = files(&folder);
    let modules = files.iter().filter(|path| !path.ends_with("main.rs"));
    let texts = modules.map(|path| fs::read_to_string(path).expect("a source file"));
    texts
        .flat_map(|text| {
            let functions = text.split("#[test]\nfn ").skip(1);
            let functions = functions.filter_map(|function| function.split_once("() {\n"));
            let owned = functions.map(|(name, body)| (name.to_owned(), body.to_owned()));
            owned.collect::<Vec<_>>()
        })
        .collect()
}

fn folder(binary: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(binary)
}

/// The source files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of tests");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The files of the modules that a text declares, in `mod folder { … }` or alone.
fn named(main: &str) -> BTreeSet<PathBuf> {
    let mut folder = PathBuf::new();
    let mut named = BTreeSet::new();
    for line in main.lines() {
        if line == "}" {
            folder.pop();
        }
        let Some(declared) = line.trim_start().strip_prefix("mod ") else {
            continue;
        };
        if let Some(name) = declared.strip_suffix(" {") {
            folder.push(name);
        } else if let Some(name) = declared.strip_suffix(';') {
            named.insert(folder.join(name).with_extension("rs"));
        }
    }
    named
}
