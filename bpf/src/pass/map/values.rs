//! Lists the single values in a type of a map's BTF.
//!
//! A program may keep data of the kernel in its map: locks, timers, lists, pointers to kernel
//! objects. bpf(2) blanks such data and an iterator may not, so it is left out.

use super::types::{holds_kernels, is_char, is_kernels, scalar, size_of};
use iterfs_mapping::row::Bits;
use iterfs_mapping::row::{Kind, Step, Unit, Width};
use libbpf_rs::btf::types::{Array, Composite, DataSec, Int, MemberAttr, Var};
use libbpf_rs::btf::{Btf, BtfType, HasSize, ReferencesType, TypeId};
use std::collections::HashSet;
use std::ffi::OsStr;

/// A single value in a key or in a map's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    /// The path to it from the key or the map's value.
    pub(super) path: Vec<Step>,
    /// The offset of its first byte.
    pub(super) offset: usize,
    pub(super) kind: Kind,
}

/// The limits to try for the length of a list. Longer lists are shown in hexadecimal; the first
/// limit that leaves few enough values applies.
const LONGEST: [usize; 6] = [1024, 256, 64, 16, 4, 0];

/// The most types to visit for each value wanted, because some types have no value.
const LOOKS: usize = 4;

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

/// A type has more values than wanted.
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
    /// Adds the values in a type that begins at this bit.
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
            // This is how compilers used to encode bit fields.
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
            // The members of an unnamed struct count as members of the outer struct.
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

    /// The global variables in a program's `.data`, `.bss` or `.rodata`.
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

#[cfg(test)]
mod tests;
