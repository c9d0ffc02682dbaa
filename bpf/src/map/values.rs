//! From a type of a map's BTF to the single values in it.
//!
//! A program that uses a map may keep things in it that are the kernel's own: locks,
//! timers, lists, pointers to kernel objects. bpf(2) blanks them and an iterator may
//! not, so they are left out.

use crate::bits::Bits;
use crate::schema::{Kind, Names, Step, Unit, Width};
use libbpf_rs::btf::types::{
    Array, Composite, DataSec, Enum, Enum64, Float, Int, IntEncoding, MemberAttr, Ptr, Var,
};
use libbpf_rs::btf::{Btf, BtfKind, BtfType, HasSize, ReferencesType, TypeId};
use std::collections::HashSet;
use std::ffi::OsStr;

/// A value in a key or in a map's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    /// From the key or value to it.
    pub(super) path: Vec<Step>,
    /// Its first byte.
    pub(super) offset: usize,
    pub(super) kind: Kind,
}

/// Lists of more elements are shown in hexadecimal: the first of these limits that
/// leaves few enough values.
const LONGEST: [usize; 6] = [1024, 256, 64, 16, 4, 0];

/// Types looked at, for each value wanted: some hold no value.
const LOOKS: usize = 4;

/// The kernel's own types (kernel/bpf/btf.c, `btf_get_field_type()`).
const KERNELS: [&str; 11] = [
    "bpf_spin_lock",
    "bpf_res_spin_lock",
    "bpf_timer",
    "bpf_wq",
    "bpf_task_work",
    "bpf_list_head",
    "bpf_list_node",
    "bpf_rb_root",
    "bpf_rb_node",
    "bpf_refcount",
    "bpf_dynptr",
];

/// Tags of pointers to kernel objects (the same).
const KERNEL_POINTERS: [&str; 4] = ["kptr", "kptr_untrusted", "percpu_kptr", "uptr"];

/// The values in `size` bytes of this type, about `most` of them.
pub(super) fn read(btf: &Btf<'_>, id: TypeId, size: usize, most: usize) -> Vec<Leaf> {
    let Some(whole) = btf.type_by_id::<BtfType<'_>>(id) else {
        return Vec::new();
    };
    for longest in LONGEST {
        let mut reading = Reading {
            btf,
            longest,
            most,
            looks: most * LOOKS,
            path: Vec::new(),
            leaves: Vec::new(),
        };
        if size_of(whole) == Some(size) && reading.read(whole, 0).is_ok() {
            return reading.leaves;
        }
    }
    match holds_kernels(btf, whole, &mut HashSet::new()) {
        true => Vec::new(),
        false => vec![Leaf {
            path: Vec::new(),
            offset: 0,
            kind: Kind::Bytes(size),
        }],
    }
}

/// There are more values than wanted.
struct TooMany;

struct Reading<'a> {
    btf: &'a Btf<'a>,
    longest: usize,
    most: usize,
    looks: usize,
    path: Vec<Step>,
    leaves: Vec<Leaf>,
}

impl Reading<'_> {
    /// Adds what a type holds that begins at this bit.
    fn read(&mut self, whole: BtfType<'_>, bit: usize) -> Result<(), TooMany> {
        self.looks = self.looks.checked_sub(1).ok_or(TooMany)?;
        let plain = whole.skip_mods_and_typedefs();
        if is_kernels(plain) {
            return Ok(());
        }
        if let Ok(members) = Composite::try_from(plain) {
            return self.members(&members, bit);
        }
        if let Ok(array) = Array::try_from(plain) {
            return self.array(plain, &array, bit);
        }
        if let Ok(section) = DataSec::try_from(plain) {
            return self.variables(&section);
        }
        if let Ok(int) = Int::try_from(plain)
            && (usize::from(int.bits) != 8 * int.size() || !bit.is_multiple_of(8))
        {
            // As compilers wrote bit fields once.
            return self.bits(plain, bit + usize::from(int.offset), int.bits.into());
        }
        match (scalar(plain), size_of(plain)) {
            (Some(kind), _) => self.leaf(bit / 8, kind),
            (None, Some(size)) => self.leaf(bit / 8, Kind::Bytes(size)),
            (None, None) => Ok(()),
        }
    }

    fn members(&mut self, members: &Composite<'_>, bit: usize) -> Result<(), TooMany> {
        for member in members.iter() {
            let Some(inner) = self.btf.type_by_id::<BtfType<'_>>(member.ty) else {
                continue;
            };
            // Members of a struct without a name are as good as the outer one's.
            let named = member.name.and_then(OsStr::to_str);
            if let Some(name) = named {
                self.path.push(Step::Member(name.into()));
            }
            match member.attr {
                MemberAttr::Normal { offset } => self.read(inner, bit + offset as usize)?,
                MemberAttr::BitField { size, offset } => self.bits(
                    inner.skip_mods_and_typedefs(),
                    bit + offset as usize,
                    size.into(),
                )?,
            }
            if named.is_some() {
                self.path.pop();
            }
        }
        Ok(())
    }

    fn array(&mut self, whole: BtfType<'_>, array: &Array<'_>, bit: usize) -> Result<(), TooMany> {
        let element = array.contained_type();
        let (Some(step), Some(size)) = (size_of(element), size_of(whole)) else {
            return Ok(());
        };
        if size == 0 {
            return Ok(());
        }
        if is_char(element) {
            return self.leaf(bit / 8, Kind::Text(size));
        }
        if array.capacity() > self.longest {
            return match holds_kernels(self.btf, element, &mut HashSet::new()) {
                true => Ok(()),
                false => self.leaf(bit / 8, Kind::Bytes(size)),
            };
        }
        for index in 0..array.capacity() {
            self.path.push(Step::Element(index));
            self.read(element, bit + 8 * step * index)?;
            self.path.pop();
        }
        Ok(())
    }

    /// The global variables of a program's `.data`, `.bss` or `.rodata`.
    fn variables(&mut self, section: &DataSec<'_>) -> Result<(), TooMany> {
        for place in section.iter() {
            let Some(variable) = self.btf.type_by_id::<Var<'_>>(place.ty) else {
                continue;
            };
            let Some(name) = variable.name().and_then(OsStr::to_str) else {
                continue;
            };
            self.path.push(Step::Member(name.into()));
            self.read(variable.referenced_type(), 8 * place.offset as usize)?;
            self.path.pop();
        }
        Ok(())
    }

    fn bits(&mut self, plain: BtfType<'_>, bit: usize, count: usize) -> Result<(), TooMany> {
        let kind = scalar(plain).unwrap_or(Kind::Unsigned(Width::Eight, Unit::None));
        match Bits::new(bit % 8, count) {
            Some(bits) => self.leaf(bit / 8, Kind::Bits(bits, Box::new(kind))),
            None => Ok(()),
        }
    }

    fn leaf(&mut self, offset: usize, kind: Kind) -> Result<(), TooMany> {
        if self.leaves.len() == self.most {
            return Err(TooMany);
        }
        self.leaves.push(Leaf {
            path: self.path.clone(),
            offset,
            kind,
        });
        Ok(())
    }
}

/// How a single value is shown.
fn scalar(plain: BtfType<'_>) -> Option<Kind> {
    if let Ok(int) = Int::try_from(plain) {
        let width = Width::of(int.size())?;
        return Some(match int.encoding {
            IntEncoding::Bool if width == Width::One => Kind::Bool,
            IntEncoding::Signed => Kind::Signed(width),
            _ => Kind::Unsigned(width, Unit::None),
        });
    }
    if let Ok(list) = Enum::try_from(plain) {
        let values = list.iter().map(|member| (member.name, member.value.into()));
        return names(list.size(), list.is_signed(), values);
    }
    if let Ok(list) = Enum64::try_from(plain) {
        let values = list.iter().map(|member| (member.name, member.value));
        return names(list.size(), list.is_signed(), values);
    }
    if Ptr::try_from(plain).is_ok() {
        return Some(Kind::Hex(Width::Eight));
    }
    let float = Float::try_from(plain).ok()?;
    match Width::of(float.size())? {
        width @ (Width::Four | Width::Eight) => Some(Kind::Float(width)),
        Width::One | Width::Two => None,
    }
}

fn names<'a>(
    size: usize,
    signed: bool,
    values: impl Iterator<Item = (Option<&'a OsStr>, i128)>,
) -> Option<Kind> {
    let width = Width::of(size)?;
    let names = values.filter_map(|(name, value)| {
        // The value's own bits, as many as the enumeration has.
        Some((width.truncate(value as i64), name?.to_str()?.into()))
    });
    let names = Names::new(names.collect());
    Some(Kind::Name(
        width,
        if signed { names.signed() } else { names },
    ))
}

fn is_char(element: BtfType<'_>) -> bool {
    let int = Int::try_from(element.skip_mods_and_typedefs());
    int.is_ok_and(|int| int.size() == 1 && int.name() == Some(OsStr::new("char")))
}

/// The bytes that a type takes.
fn size_of(whole: BtfType<'_>) -> Option<usize> {
    let plain = whole.skip_mods_and_typedefs();
    match plain.kind() {
        BtfKind::Int => Some(Int::try_from(plain).ok()?.size()),
        BtfKind::Enum => Some(Enum::try_from(plain).ok()?.size()),
        BtfKind::Enum64 => Some(Enum64::try_from(plain).ok()?.size()),
        BtfKind::Float => Some(Float::try_from(plain).ok()?.size()),
        BtfKind::Struct | BtfKind::Union => Some(Composite::try_from(plain).ok()?.size()),
        BtfKind::DataSec => Some(DataSec::try_from(plain).ok()?.size()),
        // A BPF program's, whatever the machine's.
        BtfKind::Ptr => Some(8),
        BtfKind::Array => {
            let array = Array::try_from(plain).ok()?;
            size_of(array.contained_type())?.checked_mul(array.capacity())
        }
        _ => None,
    }
}

/// Whether a type is one that the kernel keeps its own things in.
fn is_kernels(plain: BtfType<'_>) -> bool {
    if let Ok(pointer) = Ptr::try_from(plain) {
        let mut to = Some(pointer.referenced_type());
        while let Some(tag) = to.filter(BtfType::is_mod) {
            if tag.kind() == BtfKind::TypeTag && is_named(tag, &KERNEL_POINTERS) {
                return true;
            }
            to = tag.next_type();
        }
        return false;
    }
    plain.kind() == BtfKind::Struct && is_named(plain, &KERNELS)
}

fn is_named(named: BtfType<'_>, names: &[&str]) -> bool {
    let name = named.name().and_then(OsStr::to_str);
    name.is_some_and(|name| names.contains(&name))
}

/// Whether such a thing is anywhere in a type.
fn holds_kernels(btf: &Btf<'_>, whole: BtfType<'_>, seen: &mut HashSet<TypeId>) -> bool {
    let plain = whole.skip_mods_and_typedefs();
    if is_kernels(plain) {
        return true;
    }
    if !seen.insert(plain.type_id()) {
        return false;
    }
    let mut inner = |id: TypeId| {
        let inner = btf.type_by_id::<BtfType<'_>>(id);
        inner.is_some_and(|inner| holds_kernels(btf, inner, seen))
    };
    if let Ok(members) = Composite::try_from(plain) {
        return members.iter().any(|member| inner(member.ty));
    }
    if let Ok(array) = Array::try_from(plain) {
        return inner(array.ty());
    }
    if let Ok(section) = DataSec::try_from(plain) {
        return section.iter().any(|place| {
            let variable = btf.type_by_id::<Var<'_>>(place.ty);
            variable.is_some_and(|variable| inner(variable.referenced_type().type_id()))
        });
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, memfd_create};
    use std::os::fd::AsRawFd;

    /// Types as they are loaded (include/uapi/linux/btf.h).
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

        /// Adds a type: `members` many, of a size or to another type, and the rest.
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
        // A list too long to be shown one by one, and of the kernel's own.
        assert_eq!(names(&read(&btf, list.into(), 32000, 1024)), [""; 0]);
    }

    #[test]
    fn enumerations_of_any_size_and_sign() {
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
    fn bit_fields_as_compilers_wrote_them_once() {
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
}
