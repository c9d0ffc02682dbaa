//! Edits BTF in its binary form, to remove members (include/uapi/linux/btf.h).

use std::collections::{BTreeMap, BTreeSet, HashMap};

const HEADER: usize = 24;

/// The kinds that need special treatment; the number identifies the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Array,
    Composite,
    Enumeration,
    Modifier,
    Other(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) name: u32,
    pub(super) ty: u32,
    /// The offset of the member's entry.
    pub(super) at: usize,
}

pub(super) struct RawBtf {
    bytes: Vec<u8>,
    /// The offset of each type; that of id 0 is void.
    types: Vec<usize>,
    strings: usize,
}

pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl RawBtf {
    pub(super) fn parse(bytes: Vec<u8>) -> RawBtf {
        assert_eq!(bytes[..2], 0xeb9f_u16.to_ne_bytes());
        assert_eq!(word(&bytes, 4) as usize, HEADER);
        let start = HEADER + word(&bytes, 8) as usize;
        let end = start + word(&bytes, 12) as usize;
        let mut btf = RawBtf {
            strings: HEADER + word(&bytes, 16) as usize,
            bytes,
            types: vec![0],
        };
        let mut at = start;
        while at < end {
            btf.types.push(at);
            at += btf.size(at);
        }
        btf
    }

    /// The size of a type's description, in bytes.
    fn size(&self, at: usize) -> usize {
        let count = self.count(at);
        12 + match self.number(at) {
            1 | 14 | 17 => 4,
            3 => 12,
            4 | 5 | 15 | 19 => 12 * count,
            6 | 13 => 8 * count,
            2 | 7..=12 | 16 | 18 => 0,
            unknown => unreachable!("a kind of type of the number {unknown}"),
        }
    }

    fn number(&self, at: usize) -> u32 {
        word(&self.bytes, at + 4) >> 24 & 0x1f
    }

    fn count(&self, at: usize) -> usize {
        (word(&self.bytes, at + 4) & 0xffff) as usize
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        1..self.types.len() as u32
    }

    pub(super) fn kind(&self, id: u32) -> Kind {
        if id == 0 {
            return Kind::Other(0);
        }
        match self.number(self.types[id as usize]) {
            3 => Kind::Array,
            4 | 5 => Kind::Composite,
            6 | 19 => Kind::Enumeration,
            8..=11 | 18 => Kind::Modifier,
            other => Kind::Other(other),
        }
    }

    pub(super) fn string(&self, offset: u32) -> &str {
        let bytes = &self.bytes[self.strings + offset as usize..];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        std::str::from_utf8(&bytes[..end]).unwrap()
    }

    pub(super) fn name(&self, id: u32) -> &str {
        match id {
            0 => "",
            id => self.string(word(&self.bytes, self.types[id as usize])),
        }
    }

    /// The type below typedefs and qualifiers.
    pub(super) fn plain(&self, mut id: u32) -> u32 {
        while self.kind(id) == Kind::Modifier {
            id = word(&self.bytes, self.types[id as usize] + 8);
        }
        id
    }

    pub(super) fn element(&self, id: u32) -> u32 {
        word(&self.bytes, self.types[id as usize] + 12)
    }

    pub(super) fn members(&self, id: u32) -> impl Iterator<Item = Member> {
        let at = self.types[id as usize];
        (0..self.count(at)).map(move |index| {
            let at = at + 12 + 12 * index;
            Member {
                name: word(&self.bytes, at),
                ty: word(&self.bytes, at + 4),
                at,
            }
        })
    }

    /// The members that a path of names leads to, in every struct with the root's name.
    pub(super) fn find(&self, roots: &Roots, root: &str, path: &[String]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for id in roots.0.get(root).into_iter().flatten() {
            self.find_in(*id, path, &mut found);
        }
        found
    }

    fn find_in(&self, id: u32, path: &[String], found: &mut BTreeSet<usize>) {
        let mut id = self.plain(id);
        while self.kind(id) == Kind::Array {
            id = self.plain(self.element(id));
        }
        if self.kind(id) != Kind::Composite {
            return;
        }
        let (first, rest) = path.split_first().unwrap();
        for member in self.members(id) {
            let name = self.string(member.name);
            if name.is_empty() {
                self.find_in(member.ty, path, found);
            } else if name == first {
                match rest {
                    [] => {
                        found.insert(member.at);
                    }
                    rest => self.find_in(member.ty, rest, found),
                }
            }
        }
    }

    /// The structs and unions with one of these names.
    pub(super) fn roots(&self, names: &BTreeSet<String>) -> Roots {
        let mut roots = BTreeMap::<_, Vec<_>>::new();
        for id in self.ids().filter(|id| self.kind(*id) == Kind::Composite) {
            if names.contains(self.name(id)) {
                roots.entry(self.name(id).to_owned()).or_default().push(id);
            }
        }
        Roots(roots)
    }

    /// A smaller copy for a program that uses these types: all types keep their numbers, but
    /// the irrelevant ones lose their contents.
    pub(super) fn thinned(&self, names: &BTreeSet<String>) -> RawBtf {
        let mut needed = BTreeSet::new();
        for id in self.ids() {
            let named = names.contains(self.name(id));
            let matters = match self.kind(id) {
                Kind::Composite | Kind::Enumeration => named,
                _ => false,
            };
            if matters {
                self.need(id, &mut needed);
            }
        }
        let mut strings = vec![0];
        let mut known = HashMap::new();
        let mut types = Vec::new();
        for id in self.ids() {
            let at = self.types[id as usize];
            if !needed.contains(&id) {
                // This is an unnamed struct that is only declared.
                types.extend([0, 7 << 24, 0].map(u32::to_ne_bytes).as_flattened());
                continue;
            }
            let start = types.len();
            types.extend_from_slice(&self.bytes[at..at + self.size(at)]);
            let mut names = vec![start];
            let step = match self.number(at) {
                4 | 5 | 19 => 12,
                6 => 8,
                _ => 0,
            };
            let entries = if step == 0 { 0 } else { self.count(at) };
            names.extend((0..entries).map(|index| start + 12 + step * index));
            for place in names {
                let name = self.string(word(&types, place));
                let offset = *known.entry(name).or_insert_with(|| match name {
                    "" => 0,
                    name => {
                        let offset = strings.len() as u32;
                        strings.extend_from_slice(name.as_bytes());
                        strings.push(0);
                        offset
                    }
                });
                types[place..place + 4].copy_from_slice(&offset.to_ne_bytes());
            }
        }
        let mut bytes = self.bytes[..HEADER].to_vec();
        let sizes = [0, types.len(), types.len(), strings.len()];
        for (at, size) in (8..).step_by(4).zip(sizes) {
            bytes[at..at + 4].copy_from_slice(&(size as u32).to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(strings);
        RawBtf::parse(bytes)
    }

    /// Adds a type and the types contained in it.
    fn need(&self, id: u32, needed: &mut BTreeSet<u32>) {
        if id == 0 || !needed.insert(id) {
            return;
        }
        let at = self.types[id as usize];
        match self.kind(id) {
            Kind::Composite => {
                for member in self.members(id) {
                    self.need(member.ty, needed);
                }
            }
            Kind::Array => {
                self.need(self.element(id), needed);
                self.need(word(&self.bytes, at + 16), needed);
            }
            Kind::Modifier => self.need(word(&self.bytes, at + 8), needed),
            // The target of a pointer is not needed, but its number stays.
            _ => {}
        }
    }

    /// The bytes, in which these members have other names.
    pub(super) fn without(&self, members: &BTreeSet<usize>) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let length = word(&bytes, 20);
        bytes.extend_from_slice(b"gone\0");
        bytes[20..24].copy_from_slice(&(length + 5).to_ne_bytes());
        for at in members {
            bytes[*at..*at + 4].copy_from_slice(&length.to_ne_bytes());
        }
        bytes
    }
}

/// The ids of structs, by name.
pub(super) struct Roots(BTreeMap<String, Vec<u32>>);
