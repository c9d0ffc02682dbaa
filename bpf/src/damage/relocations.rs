//! Reads the kernel fields that an object uses from its CO-RE relocations.
//!
//! The format is defined in include/uapi/linux/btf.h and bpf.h (struct bpf_core_relo), and by
//! libbpf's btf_ext_header for `.BTF.ext`.

use super::raw_btf::{Kind, RawBtf, word};
use object::{Object, ObjectSection};
use std::collections::BTreeSet;
use std::fmt;

/// A path from a struct to one of its fields: the struct's name, and the names of members.
/// Array elements and unnamed structs are not part of the path.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Access {
    pub(super) root: String,
    pub(super) members: Vec<String>,
}

/// The highest number of a field relocation: enum bpf_core_relo_kind, BPF_CORE_FIELD_*.
const LAST_FIELD_KIND: u32 = 5;

impl fmt::Display for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.root, self.members.join("."))
    }
}

/// The names of all kernel types that an object uses.
pub(super) fn type_names(elf: &[u8]) -> BTreeSet<String> {
    let file = object::File::parse(elf).unwrap();
    let section = |name| file.section_by_name(name).unwrap().data().unwrap();
    let btf = RawBtf::parse(section(".BTF").to_vec());
    let records = records(section(".BTF.ext"));
    let roots = records.map(|record| essential(btf.name(btf.plain(record.root))));
    roots.filter(|name| !name.is_empty()).collect()
}

/// The name without its flavour, which libbpf ignores.
fn essential(name: &str) -> String {
    name.split("___").next().unwrap().to_owned()
}

/// All fields that an object uses. For a nested field, the outer field is included too.
pub(super) fn accesses(elf: &[u8]) -> BTreeSet<Access> {
    let file = object::File::parse(elf).unwrap();
    let section = |name| file.section_by_name(name).unwrap().data().unwrap();
    let btf = RawBtf::parse(section(".BTF").to_vec());
    let mut all = BTreeSet::new();
    for record in records(section(".BTF.ext")).filter(|record| record.kind <= LAST_FIELD_KIND) {
        let access = resolve(&btf, record.root, btf.string(record.spec));
        for length in 1..=access.members.len() {
            all.insert(Access {
                root: access.root.clone(),
                members: access.members[..length].to_vec(),
            });
        }
    }
    all
}

/// A relocation: the type at which it starts, the offset of its access string, and its purpose.
struct Record {
    root: u32,
    spec: u32,
    kind: u32,
}

fn records(ext: &[u8]) -> impl Iterator<Item = Record> {
    let header = word(ext, 4) as usize;
    let (offset, length) = (word(ext, 24) as usize, word(ext, 28) as usize);
    let table = &ext[header + offset..header + offset + length];
    let size = word(table, 0) as usize;
    let (mut at, mut found) = (4, Vec::new());
    while at < table.len() {
        let count = word(table, at + 4) as usize;
        at += 8;
        for record in table[at..at + count * size].chunks(size) {
            found.push(Record {
                root: word(record, 4),
                spec: word(record, 8),
                kind: word(record, 12),
            });
        }
        at += count * size;
    }
    found.into_iter()
}

/// Resolves an access string such as `0:2:1`: the first number steps over whole structs, and
/// the others into members or elements.
fn resolve(btf: &RawBtf, root: u32, spec: &str) -> Access {
    let mut at = btf.plain(root);
    let root = essential(btf.name(at));
    let mut members = Vec::new();
    for step in spec.split(':').skip(1) {
        let step: usize = step.parse().unwrap();
        at = match btf.kind(at) {
            Kind::Array => btf.plain(btf.element(at)),
            _ => {
                let member = btf.members(at).nth(step).unwrap();
                let name = btf.string(member.name);
                if !name.is_empty() {
                    members.push(name.to_owned());
                }
                btf.plain(member.ty)
            }
        };
    }
    Access { root, members }
}
