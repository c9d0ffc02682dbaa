//! No table shows a kernel address to anybody but root, whatever kptr_restrict says.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

use iterfs_tests::configured::Configured;
use iterfs_tests::not_here::needs_tables;
use iterfs_tests::users::User;
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The lower half of no address space of the kernel's begins above this
/// (Documentation/arch/x86/x86_64/mm.rst; arm64 is no lower).
const LOWEST: u64 = 0xffff_8000_0000_0000;

const KPTR_RESTRICT: &str = "/proc/sys/kernel/kptr_restrict";

/// A value of the sysctl for as long as this lives.
struct Restricted(String);

impl Restricted {
    fn to(value: &str) -> Restricted {
        let before = fs::read_to_string(KPTR_RESTRICT).unwrap();
        fs::write(KPTR_RESTRICT, value).unwrap();
        Restricted(before)
    }
}

impl Drop for Restricted {
    fn drop(&mut self) {
        let _ = fs::write(KPTR_RESTRICT, &self.0);
    }
}

/// The kernel's symbols, by address.
fn symbols() -> HashSet<u64> {
    let text = fs::read_to_string("/proc/kallsyms").unwrap();
    let addresses = text.lines().filter_map(|line| {
        let word = line.split_whitespace().next()?;
        u64::from_str_radix(word, 16).ok()
    });
    // Those of per-cpu variables are small numbers, as many others are.
    addresses.filter(|address| *address >= 1 << 32).collect()
}

/// What a word may mean: in hexadecimal, with a prefix or without, and in decimal.
fn readings(word: &str) -> impl Iterator<Item = u64> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let hexadecimal = u64::from_str_radix(digits, 16).ok();
    hexadecimal.into_iter().chain(word.parse().ok())
}

/// The words of a text that may be addresses.
fn addresses(text: &str, symbols: &HashSet<u64>) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let suspicious = |address: u64| address >= LOWEST || symbols.contains(&address);
    words
        .filter(|word| readings(word).any(suspicious))
        .map(str::to_owned)
        .collect()
}

/// Every file below a directory, of this test's process alone where there are many.
fn files(directory: &Path) -> Vec<PathBuf> {
    let own = std::process::id().to_string();
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let is_anothers = directory.ends_with("pid") && entry.file_name() != *own;
        if kind.is_file() {
            all.push(path);
        } else if kind.is_dir() && !is_anothers {
            // Of cgroups and namespaces the first few tell.
            let limit = match directory.ends_with("cgroup") || directory.ends_with("netns") {
                true => 24,
                false => usize::MAX,
            };
            all.extend(files(&path).into_iter().take(limit));
        }
    }
    all
}

/// The hashes of programs, which may look like anything.
fn tags(text: &str) -> HashSet<String> {
    let rows = text.lines().filter_map(|line| {
        let row: Value = serde_json::from_str(line).ok()?;
        row["tag"].as_str().map(str::to_owned)
    });
    rows.collect()
}

#[test]
fn no_file_shows_an_address_to_a_user() {
    let mount = Configured::new("", "[[allow]]\npath = \"**\"\nmode = \"0444\"");
    if !needs_tables(&mount, &["kernel/ksyms", "vmas"]) {
        return;
    }
    let user = User::new(66_101, 66_201);
    let symbols = symbols();
    assert!(symbols.len() > 10_000, "root sees addresses");
    let _open = Restricted::to("0");
    let tags = tags(&mount.text("bpf/progs.jsonl"));
    // That the scan finds what is there.
    let of_root = addresses(&mount.text("kernel/ksyms"), &symbols);
    assert!(of_root.len() > 10_000, "{}", of_root.len());

    user.run(|| {
        let files = files(mount.directory());
        let named = |name: &str| files.iter().any(|file| file.ends_with(name));
        for name in ["kernel/ksyms", "net/tcp", "bpf/progs.json", "vmas.csv"] {
            assert!(named(name), "{name} is scanned");
        }
        for file in files {
            if file.ends_with("ctl") || file.ends_with("ctl.json") {
                continue;
            }
            let bytes = match fs::read(&file) {
                Ok(bytes) => bytes,
                // What came and went meanwhile: cgroups, namespaces.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => unreachable!("{}: {error}", file.display()),
            };
            let mut found = addresses(&String::from_utf8_lossy(&bytes), &symbols);
            found.retain(|word| !tags.contains(word));
            found.truncate(5);
            assert!(found.is_empty(), "{}: {found:?}", file.display());
        }
    });
}
