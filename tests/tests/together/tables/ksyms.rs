//! `kernel/ksyms` beside /proc/kallsyms.

use iterfs_mapping::Format;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::columns::Columns;
use iterfs_tests::oracles::steady::steadily;
use iterfs_tests::{Mount, Row};
use serde_json::Value;
use std::fs;

/// The module that stands for BPF programs, which come and go.
const BPF: &str = "bpf";

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Symbol {
    address: u64,
    kind: String,
    name: String,
    module: Option<String>,
}

/// `address type name [module]`, sorted, without those of BPF programs.
fn oracle() -> Vec<Symbol> {
    let text = fs::read_to_string("/proc/kallsyms").unwrap();
    let symbols = text.lines().map(|line| {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap();
        Symbol {
            address: u64::from_str_radix(word(), 16).unwrap(),
            kind: word().to_owned(),
            name: word().to_owned(),
            module: words
                .next()
                .map(|word| word.trim_matches(['[', ']']).to_owned()),
        }
    });
    sorted(symbols)
}

fn sorted(symbols: impl Iterator<Item = Symbol>) -> Vec<Symbol> {
    let lasting = symbols.filter(|symbol| symbol.module.as_deref() != Some(BPF));
    let mut symbols: Vec<_> = lasting.collect();
    symbols.sort();
    symbols
}

fn symbol(row: &Row) -> Symbol {
    let text = |column: &str| row[column].as_str().map(str::to_owned);
    // An address of 0, which per-cpu data had before Linux 6.15, is shown as none.
    let address = text("address").map_or(0, |address| {
        u64::from_str_radix(address.strip_prefix("0x").unwrap(), 16).unwrap()
    });
    Symbol {
        address,
        kind: text("type").unwrap(),
        name: text("name").unwrap(),
        module: text("module"),
    }
}

#[test]
fn symbols_are_those_of_kallsyms() {
    let mount = Mount::new();
    if !needs_table(&mount, "kernel/ksyms") {
        return;
    }
    let (expected, rows, _) = steadily(oracle, || mount.rows("kernel/ksyms"), PartialEq::eq);
    let found = sorted(rows.iter().map(symbol));
    assert!(expected.len() > 10_000, "{} symbols", expected.len());
    // 2 hides addresses even from root (kernel/ksyms_common.c, kallsyms_show_value()).
    let restriction = fs::read_to_string("/proc/sys/kernel/kptr_restrict").unwrap();
    let hidden = restriction.trim() == "2";
    for symbol in &expected {
        match hidden {
            true => assert_eq!(symbol.address, 0, "{symbol:?}"),
            false => assert!(symbol.address != 0 || symbol.kind == "A", "{symbol:?}"),
        }
    }
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());

    // No column is left out above.
    let mut rows = rows.iter().filter(|row| hidden == row["address"].is_null());
    let row = rows.next().unwrap();
    let symbol = symbol(row);
    let address = match hidden {
        true => Value::Null,
        false => format!("{:#x}", symbol.address).into(),
    };
    Columns::of(row)
        .is("address", address)
        .is("type", symbol.kind)
        .is("name", symbol.name)
        .is("module", symbol.module)
        .done();
}

#[test]
fn programs_are_there_while_they_are_loaded() {
    let mount = Mount::new();
    if !needs_table(&mount, "kernel/ksyms") {
        return;
    }
    mount.rows("tasks");
    let kallsyms = fs::read_to_string("/proc/kallsyms").unwrap();
    let rows = mount.rows("kernel/ksyms");
    // The one of this daemon cannot go before the daemon.
    let ends = |name: &str| name.starts_with("bpf_prog_") && name.ends_with("_dump_tasks");
    let ours = rows
        .iter()
        .filter(|row| ends(row["name"].as_str().unwrap()));
    let theirs = kallsyms
        .lines()
        .filter(|line| line.ends_with("_dump_tasks\t[bpf]"));
    assert!(theirs.count() > 0);
    assert!(ours.inspect(|row| assert_eq!(row["module"], BPF)).count() > 0);
}

#[test]
fn only_root_reads_kernel_symbols() {
    const GROUP: u32 = 54321;
    let mount = Mount::with_options(&format!("gid={GROUP}"));
    if !needs_table(&mount, "kernel/ksyms") {
        return;
    }
    let member = User::new(54320, GROUP);
    let read = |table: &str| {
        let output = member.command("cat").arg(mount.path(table)).output();
        output.unwrap()
    };
    let maps = read("bpf/maps");
    assert!(maps.status.success() && !maps.stdout.is_empty(), "{maps:?}");
    for suffix in Format::ALL.map(Format::suffix) {
        let ksyms = read(&format!("kernel/ksyms{suffix}"));
        assert!(!ksyms.status.success(), "{ksyms:?}");
        assert!(ksyms.stdout.is_empty());
        assert!(String::from_utf8_lossy(&ksyms.stderr).contains("Permission denied"));
    }
}
