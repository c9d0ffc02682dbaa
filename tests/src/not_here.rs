//! A test reports what it needs and the running kernel lacks.
//!
//! A test never skips in silence. Where the kernel lacks a target or a feature, the
//! test asks for it with [`needs_table`] or [`needs`], which print `not here: REASON`.
//! The test then returns, and passes. `make test` lists all such lines after its
//! tests, and the matrix of kernels (docs/KERNELS.md) shows them as results of their
//! own kind.

use crate::Mount;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::{Func, Struct};
use std::fs::OpenOptions;
use std::io::Write;

/// Names the file to which each reason is added, as a line
/// `not here: TEST: REASON`.
const FILE: &str = "ITERFS_NOT_HERE";

/// Whether the kernel has a feature. If it does not, reports why this test has
/// nothing to do on it.
#[must_use = "a test that lacks what it needs returns"]
pub fn needs(here: bool, reason: &str) -> bool {
    if !here {
        report(reason);
    }
    here
}

/// Whether the mount has a table, such as `kernel/slabs`. The table is missing where
/// the kernel does not have its target.
#[must_use = "a test that lacks what it needs returns"]
pub fn needs_table(mount: &Mount, table: &str) -> bool {
    let here = mount.path(table).exists();
    needs(here, &format!("the kernel has no target for {table}"))
}

/// Whether the mount has all of these tables.
#[must_use = "a test that lacks what it needs returns"]
pub fn needs_tables(mount: &Mount, tables: &[&str]) -> bool {
    tables.iter().all(|table| needs_table(mount, table))
}

/// Whether programs of iterfs's own can print text, so that their tables can be pinned.
#[must_use = "a test that lacks what it needs returns"]
pub fn needs_text_mode() -> bool {
    needs_function(LOOPS, "tables cannot be pinned")
}

/// Whether a walk over tasks, or over their objects, can be narrowed to a process or a thread.
#[must_use = "a test that lacks what it needs returns"]
pub fn needs_narrowed_tasks() -> bool {
    needs_member(
        "bpf_iter_aux_info",
        "task",
        "no walk is narrowed to a process",
    )
}

/// Whether a program can store a value with an object: since Linux 6.19, the kernel allocates
/// that memory by bpf_map_kmalloc_nolock(), which needs a processor with cmpxchg16b
/// (mm/slub.c). The emulator that boots other kernels has none (tests/vm/boot).
#[must_use = "a test that lacks what it needs returns"]
pub fn needs_storage_by_programs() -> bool {
    let processors = std::fs::read_to_string("/proc/cpuinfo").expect("/proc/cpuinfo");
    let flags = processors.lines().find(|line| line.starts_with("flags"));
    let has_it = flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "cx16"));
    needs(
        has_it || !has_function("bpf_map_kmalloc_nolock"),
        "the processor has no cmpxchg16b: programs store nothing with sockets",
    )
}

/// Open-coded loops: without them a program may repeat something a few times alone.
pub const LOOPS: &str = "bpf_iter_num_new";

/// Whether a struct of the kernel's has a member; `why` says what is missing without.
/// If several structs have that name, one of them must have the member.
#[must_use = "a test that lacks what it needs returns"]
pub fn needs_member(structure: &str, member: &str, why: &str) -> bool {
    let btf = Btf::from_vmlinux().expect("the kernel has BTF");
    let mut structs = btf
        .type_by_kind::<Struct<'_>>()
        .filter(|found| found.name().is_some_and(|name| name == structure));
    let here = structs.any(|found| {
        let mut members = found.iter();
        members.any(|found| found.name.is_some_and(|name| name == member))
    });
    needs(here, &format!("{structure} has no {member}: {why}"))
}

/// Whether the kernel's BTF declares a function; `why` says what is missing without.
#[must_use = "a test that lacks what it needs returns"]
pub fn needs_function(name: &str, why: &str) -> bool {
    needs(
        has_function(name),
        &format!("the kernel has no {name}(): {why}"),
    )
}

fn has_function(name: &str) -> bool {
    let btf = Btf::from_vmlinux().expect("the kernel has BTF");
    btf.type_by_kind::<Func<'_>>()
        .any(|function| function.name().is_some_and(|found| found == name))
}

fn report(reason: &str) {
    // libtest names a test's thread after the test.
    let thread = std::thread::current();
    let line = format!("not here: {}: {reason}\n", thread.name().unwrap_or("-"));
    print!("{line}");
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let file = OpenOptions::new().create(true).append(true).open(&path);
    // One write, so that tests beside each other do not tear each other's lines.
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|error| panic!("{FILE}={}: {error}", path.display()));
}
