//! BPF objects compiled by clang, each of them once.
//!
//! The objects are kept in the target directory, in `objects`, by a hash of all that
//! goes into them. That saves time here; and the guests of `make test-kernels`,
//! which have no clang, use the objects that the tests left on this machine.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles `source` for BPF into `object`, with these directories of headers and
/// these flags.
///
/// # Panics
/// If clang rejects the source, or is missing where no such object was kept.
pub fn compile(source: &Path, object: &Path, headers: &[PathBuf], flags: &[String]) {
    let kept = kept_objects().join(format!("{:016x}.o", fingerprint(source, headers, flags)));
    if fs::copy(&kept, object).is_ok() {
        return;
    }
    let mut command = Command::new("clang");
    command.args(["-g", "-O2", "-target", "bpf"]).args(flags);
    for directory in headers {
        command.arg("-I").arg(directory);
    }
    command.arg("-c").arg(source).arg("-o").arg(object);
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot run clang on {source:?} {flags:?}, whose object was not kept: {error}")
    });
    assert!(output.status.success(), "{source:?}: {output:?}");
    keep(object, &kept);
}

/// Keeps an object for the next test. A test that looks for it meanwhile finds all
/// of it or nothing.
fn keep(object: &Path, kept: &Path) {
    let directory = kept.parent().expect("a directory of objects");
    fs::create_dir_all(directory).expect("a directory of objects");
    let whole = tempfile::NamedTempFile::new_in(directory).expect("a file beside the objects");
    fs::copy(object, whole.path()).expect("a copy of the object");
    whole.persist(kept).expect("the object is kept");
}

/// `objects` in the target directory, which is two above `debug/deps/TEST` and
/// one above `debug/workload`.
fn kept_objects() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let profile = test.ancestors().find(|path| path.join("iterfs").is_file());
    let profile = profile.expect("iterfs is not built; run the tests with: make test");
    profile.with_file_name("objects")
}

/// A number that changes whenever the object may: of the text, the headers, the
/// flags and this release of libbpf's headers.
fn fingerprint(source: &Path, headers: &[PathBuf], flags: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    fs::read(source).expect("a source file").hash(&mut hasher);
    flags.hash(&mut hasher);
    for directory in headers {
        hash_directory(directory, &mut hasher);
    }
    hasher.finish()
}

fn hash_directory(directory: &Path, hasher: &mut DefaultHasher) {
    let entries = fs::read_dir(directory).expect("a directory of headers");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    for path in paths {
        path.file_name().hash(hasher);
        if path.is_dir() {
            hash_directory(&path, hasher);
        } else if path.extension().is_some_and(|extension| extension == "h") {
            fs::read(&path).expect("a header").hash(hasher);
        }
    }
}
