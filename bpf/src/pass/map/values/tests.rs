//! Tests with types of every kind, encoded by hand.

use super::*;
use iterfs_mapping::row::Names;
use rustix::fs::{MemfdFlags, memfd_create};
use std::os::fd::AsRawFd;

/// Types in their binary form (include/uapi/linux/btf.h).
#[derive(Default)]
struct Types {
    types: Vec<u32>,
    strings: Vec<u8>,
    last: u32,
}

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const ENUM: u32 = 6;
const TYPE_TAG: u32 = 18;
const ENUM64: u32 = 19;
const SIGNED: u32 = 1 << 24;

impl Types {
    fn name(&mut self, name: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        let at = self.strings.len();
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        at as u32
    }

    /// Adds a type with this many members, a size or another type, and the remaining words.
    fn add(&mut self, name: &str, kind: u32, members: u32, size: u32, rest: &[u32]) -> u32 {
        let (flag, kind) = (kind >> 31, kind & 31);
        let name = self.name(name);
        let info = flag << 31 | kind << 24 | members;
        self.types.extend([name, info, size]);
        self.types.extend(rest);
        self.last += 1;
        self.last
    }

    fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let rest: Vec<u32> = members
            .iter()
            .flat_map(|(name, of, bit)| [self.name(name), *of, *bit])
            .collect();
        self.add(name, STRUCT, members.len() as u32, size, &rest)
    }

    fn array(&mut self, of: u32, many: u32) -> u32 {
        self.add("", ARRAY, 0, 0, &[of, of, many])
    }

    fn load(&self) -> Btf<'static> {
        let (types, strings) = (4 * self.types.len() as u32, self.strings.len() as u32);
        let header = [1 << 16 | 0xeb9f, 24, 0, types, types, strings];
        let words = header.iter().chain(&self.types);
        let mut bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(&self.strings);
        let file = memfd_create("btf", MemfdFlags::CLOEXEC).unwrap();
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        std::fs::write(&path, bytes).unwrap();
        Btf::from_path(path).unwrap()
    }
}

fn names(leaves: &[Leaf]) -> Vec<&str> {
    let last = leaves.iter().map(|leaf| match leaf.path.last() {
        Some(Step::Member(name)) => &**name,
        _ => "",
    });
    last.collect()
}

#[test]
fn pointers_to_the_kernels_objects_are_left_out() {
    let mut types = Types::default();
    let int = types.add("int", INT, 0, 4, &[SIGNED | 32]);
    let object = types.structure("object", 4, &[("state", int, 0)]);
    let tagged = types.add("kptr", TYPE_TAG, 0, object, &[]);
    let kernels = types.add("", PTR, 0, tagged, &[]);
    let plain = types.add("", PTR, 0, object, &[]);
    let inner = types.structure("inner", 16, &[("mine", plain, 0), ("kernels", kernels, 64)]);
    let list = types.array(inner, 2000);
    let value = types.structure("value", 32016, &[("first", inner, 0), ("list", list, 128)]);
    let lock = types.structure("bpf_spin_lock", 4, &[("val", int, 0)]);
    let btf = types.load();
    assert_eq!(names(&read(&btf, value.into(), 32016, 1024)), ["mine"]);
    assert_eq!(names(&read(&btf, lock.into(), 4, 1024)), [""; 0]);
    // This list is too long to be shown element by element, and it holds data of the kernel.
    assert_eq!(names(&read(&btf, list.into(), 32000, 1024)), [""; 0]);
}

#[test]
fn enumerations_have_any_size_and_sign() {
    let mut types = Types::default();
    let [one, big] = ["ONE", "BIG"].map(|name| types.name(name));
    let signed = types.add("signed", ENUM | 1 << 31, 1, 4, &[one, -1i32 as u32]);
    let wide = types.add("wide", ENUM64, 1, 8, &[big, 5, 6]);
    let btf = types.load();
    let kind = |id: u32, size| read(&btf, id.into(), size, 1).remove(0).kind;
    assert_eq!(
        kind(signed, 4),
        Kind::Name(
            Width::Four,
            Names::new(vec![(0xffff_ffff, "ONE".into())]).signed()
        )
    );
    assert_eq!(
        kind(wide, 8),
        Kind::Name(Width::Eight, Names::new(vec![(6 << 32 | 5, "BIG".into())]))
    );
}

#[test]
fn old_encodings_of_bit_fields_are_understood() {
    let mut types = Types::default();
    let five = types.add("int", INT, 0, 4, &[SIGNED | 5]);
    let int = types.add("int", INT, 0, 4, &[SIGNED | 32]);
    let whole = types.structure("whole", 8, &[("field", five, 35), ("odd", int, 3)]);
    let leaves = read(&types.load(), whole.into(), 8, 8);
    let bits = |start, count| {
        let bits = Bits::new(start, count).unwrap();
        Kind::Bits(bits, Box::new(Kind::Signed(Width::Four)))
    };
    assert_eq!((leaves[0].offset, &leaves[0].kind), (4, &bits(3, 5)));
    assert_eq!((leaves[1].offset, &leaves[1].kind), (0, &bits(3, 32)));
}

#[test]
fn structs_nested_without_end_cost_no_more_than_others() {
    let mut types = Types::default();
    let mut id = types.structure("empty", 0, &[]);
    for _ in 0..40 {
        id = types.structure("twice", 0, &[("one", id, 0), ("other", id, 0)]);
    }
    let leaves = read(&types.load(), id.into(), 0, 1024);
    assert_eq!(leaves.len(), 1);
    assert_eq!(leaves[0].kind, Kind::Bytes(0));
}

#[test]
fn a_type_of_another_size_is_shown_as_bytes() {
    let mut types = Types::default();
    let int = types.add("int", INT, 0, 4, &[32]);
    let leaves = read(&types.load(), int.into(), 8, 1024);
    assert_eq!(leaves[0].kind, Kind::Bytes(8));
}
