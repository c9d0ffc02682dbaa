//! No table shows a kernel address to anybody but root, whatever kptr_restrict says.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::not_here::needs_tables;
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// On every architecture, the kernel's half of the address space begins at or below this
/// (Documentation/arch/x86/x86_64/mm.rst; arm64 is no lower).
const LOWEST: u64 = 0xffff_8000_0000_0000;

/// A pointer at or above this is an error (include/linux/err.h, MAX_ERRNO).
const NO_ADDRESS: u64 = u64::MAX - 4095;

const KPTR_RESTRICT: &str = "/proc/sys/kernel/kptr_restrict";

/// A value of the sysctl for as long as this lives. Another run of the tests waits
/// meanwhile: each restores what it found.
struct Restricted {
    before: String,
    _lock: File,
}

impl Restricted {
    fn to(value: &str) -> Restricted {
        let lock = File::open(KPTR_RESTRICT).unwrap();
        lock.lock().unwrap();
        let before = fs::read_to_string(KPTR_RESTRICT).unwrap();
        fs::write(KPTR_RESTRICT, value).unwrap();
        Restricted {
            before,
            _lock: lock,
        }
    }
}

impl Drop for Restricted {
    fn drop(&mut self) {
        let _ = fs::write(KPTR_RESTRICT, &self.before);
    }
}

/// The kernel's symbols, by address.
fn symbols() -> HashSet<u64> {
    let text = fs::read_to_string("/proc/kallsyms").unwrap();
    let addresses = text.lines().filter_map(|line| {
        let word = line.split_whitespace().next()?;
        u64::from_str_radix(word, 16).ok()
    });
    // Leave out per-cpu variables: their addresses are small numbers like many others.
    addresses.filter(|address| *address >= 1 << 32).collect()
}

/// The numbers that a word may stand for: hexadecimal, with or without a prefix, and decimal.
fn readings(word: &str) -> impl Iterator<Item = u64> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let hexadecimal = u64::from_str_radix(digits, 16).ok();
    hexadecimal.into_iter().chain(word.parse().ok())
}

/// The words of a text that may be addresses.
fn addresses(text: &str, symbols: &HashSet<u64>) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    // The last page of all is none: there errors are pointers.
    let suspicious =
        |address: u64| (LOWEST..NO_ADDRESS).contains(&address) || symbols.contains(&address);
    words
        .filter(|word| readings(word).any(suspicious))
        .map(str::to_owned)
        .collect()
}

/// Every file below a directory, of this test's process alone where there are many.
fn files(directory: &Path) -> Vec<PathBuf> {
    let own = std::process::id().to_string();
    let mut all = Vec::new();
    let entries = match fs::read_dir(directory) {
        // Cgroups, maps and namespaces come and go meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return all,
        entries => entries.unwrap(),
    };
    for entry in entries.map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let is_anothers = directory.ends_with("pid") && entry.file_name() != *own;
        if kind.is_file() {
            all.push(path);
        } else if kind.is_dir() && !is_anothers {
            // A few cgroups and namespaces are enough.
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
    let _turn = crate::turn();
    let mount = Mount::configured("", "[[allow]]\npath = \"**\"\nmode = \"0444\"");
    if !needs_tables(&mount, &["kernel/ksyms", "vmas"]) {
        return;
    }
    let user = User::fresh();
    let symbols = symbols();
    assert!(symbols.len() > 10_000, "root sees addresses");
    let _open = Restricted::to("0");
    let tags = tags(&mount.text("bpf/progs.jsonl"));
    // Check that the scan finds addresses where there are some.
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
                // Cgroups and namespaces may have gone meanwhile.
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

/// No more than a process can map (Documentation/arch/x86/x86_64/mm.rst, with 5-level
/// page tables), and so more than any count or size of a kernel's table.
const MOST: u64 = 1 << 56;

/// Numbers that the user chose itself, or that mean something else than how much.
const ANY_NUMBER: [&str; 3] = ["pos", "offset", "address"];

/// Numbers of a row that cannot be true: a kernel address, as it stands in the row,
/// shifted as pages are, or counted downwards.
fn unbelievable(row: &serde_json::Map<String, Value>) -> Vec<String> {
    let numbers = row
        .iter()
        .filter(|(name, _)| !ANY_NUMBER.contains(&name.as_str()));
    let odd = numbers.filter(|(name, value)| match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            // A filesystem numbers its files as it likes, and says what size it likes.
            (Some(number), _) if matches!(name.as_str(), "inode" | "size") => number >= LOWEST,
            (Some(number), _) => number >= MOST,
            // Small ones are priorities and nice values.
            (None, Some(number)) => number < -(1 << 32),
            (None, None) => true,
        },
        _ => false,
    });
    odd.map(|(name, value)| format!("{name}={value}")).collect()
}

/// Looks at the columns of each row. A scan of words would miss a sum or a multiple of an
/// address, because no symbol has that address.
#[test]
fn no_number_that_a_user_reads_is_made_of_an_address() {
    let _turn = crate::turn();
    let mount = Mount::configured("", "[[allow]]\npath = \"**\"\nmode = \"0444\"");
    let user = User::fresh();
    let row = |text: &str| serde_json::from_str(text).unwrap();
    for address in [
        r#"{"slabs":18446612686410211896}"#,
        r#"{"memory":18410715276690587648}"#,
        r#"{"used":-131387299339720}"#,
    ] {
        assert_eq!(unbelievable(&row(address)).len(), 1, "{address}");
    }
    assert_eq!(
        unbelievable(&row(r#"{"nice":-20,"size":140737488355328}"#)),
        [""; 0]
    );

    user.run(|| {
        let all = files(mount.directory());
        let tables = all
            .iter()
            .filter(|file| file.extension().is_some_and(|kind| kind == "jsonl"));
        // A map holds what its users put there.
        let tables = tables.filter(|file| !file.ends_with("elements.jsonl"));
        let (mut scanned, mut rows) = (0, 0);
        for file in tables {
            let text = match fs::read_to_string(file) {
                Ok(text) => text,
                // Cgroups and namespaces may have gone meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => unreachable!("{}: {error}", file.display()),
            };
            scanned += 1;
            for line in text.lines() {
                rows += 1;
                let odd = unbelievable(&row(line));
                assert!(odd.is_empty(), "{}: {odd:?} in {line}", file.display());
            }
        }
        assert!(
            scanned > 30 && rows > 10_000,
            "{rows} rows of {scanned} tables"
        );
    });
}
