//! Properties of a type in a map's BTF: its size, how it is shown, and whether it belongs to
//! the kernel.

use iterfs_mapping::row::{Kind, Names, Unit, Width};
use libbpf_rs::btf::types::{
    Array, Composite, DataSec, Enum, Enum64, Float, Int, IntEncoding, Ptr, Var,
};
use libbpf_rs::btf::{Btf, BtfKind, BtfType, HasSize, ReferencesType, TypeId};
use std::collections::HashSet;
use std::ffi::OsStr;

/// The types that belong to the kernel (kernel/bpf/btf.c, `btf_get_field_type()`).
const KERNELS: [&str; 10] = [
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
];

/// The tags of pointers to kernel objects (the same function).
const KERNEL_POINTERS: [&str; 4] = ["kptr", "kptr_untrusted", "percpu_kptr", "uptr"];

/// The kind of a single value.
pub(super) fn scalar(plain: BtfType<'_>) -> Option<Kind> {
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
        return Some(Kind::Pointer { shown: true });
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
        // Only as many bits of the value as the enumeration has.
        Some((width.truncate(value as i64), name?.to_str()?.into()))
    });
    let names = Names::new(names.collect());
    Some(Kind::Name(
        width,
        if signed { names.signed() } else { names },
    ))
}

pub(super) fn is_char(element: BtfType<'_>) -> bool {
    let int = Int::try_from(element.skip_mods_and_typedefs());
    int.is_ok_and(|int| int.size() == 1 && int.name() == Some(OsStr::new("char")))
}

/// The number of bytes of a type.
pub(super) fn size_of(whole: BtfType<'_>) -> Option<usize> {
    let plain = whole.skip_mods_and_typedefs();
    match plain.kind() {
        BtfKind::Int => Some(Int::try_from(plain).ok()?.size()),
        BtfKind::Enum => Some(Enum::try_from(plain).ok()?.size()),
        BtfKind::Enum64 => Some(Enum64::try_from(plain).ok()?.size()),
        BtfKind::Float => Some(Float::try_from(plain).ok()?.size()),
        BtfKind::Struct | BtfKind::Union => Some(Composite::try_from(plain).ok()?.size()),
        BtfKind::DataSec => Some(DataSec::try_from(plain).ok()?.size()),
        // Pointers in BPF programs have eight bytes on every machine.
        BtfKind::Ptr => Some(8),
        BtfKind::Array => {
            let array = Array::try_from(plain).ok()?;
            size_of(array.contained_type())?.checked_mul(array.capacity())
        }
        _ => None,
    }
}

/// Whether the kernel stores its own data in values of this type.
pub(super) fn is_kernels(plain: BtfType<'_>) -> bool {
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

/// Whether a type contains such data anywhere.
pub(super) fn holds_kernels(btf: &Btf<'_>, whole: BtfType<'_>, seen: &mut HashSet<TypeId>) -> bool {
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
