//! Inode numbers. Each number encodes its node, so no table of inodes is needed, except for
//! the names that ask: their numbers are counted up, and lead to their questions.
//!
//! The same path always has the same number, whoever looks it up, as far as stat(2) shows it.
//! To the kernel, a name that asks has another number whenever it comes back after it was
//! forgotten. The top byte is the kind
//! of directory, the next ten bits the file in it (0 for the directory itself), and the
//! rest the directory's own number: a pid, or the id of a cgroup, which the kernel counts
//! up from 1 (fs/kernfs/dir.c).

use iterfs_mapping::{Control, Directory, File, Format, Node, TableId, UserFile};

/// The root's number, which FUSE prescribes.
const ROOT: u64 = 1;

const KIND_SHIFT: u32 = 56;
const FILE_SHIFT: u32 = 46;
const FILE: u64 = (1 << (KIND_SHIFT - FILE_SHIFT)) - 1;
const NUMBER: u64 = (1 << FILE_SHIFT) - 1;

/// In a directory, each table has one file per format.
const FORMATS: u64 = Format::ALL.len() as u64;

/// Kinds of nodes that are not directories of the layout.
const USER: u64 = 10;
const CONTROL: u64 = 11;
const NAME: u64 = 14;
const ASKING: u64 = 15;

/// The number that stat(2) shows for a node.
pub fn shown(node: Node) -> u64 {
    match node {
        Node::Asking(asking) => ASKING << KIND_SHIFT | asking.identity,
        other => number(other),
    }
}

/// The number of the question that this inode number of the kernel's stands for.
pub fn question(number: u64) -> Option<u64> {
    let is_asking = number >> KIND_SHIFT == ASKING;
    is_asking.then_some(number & ((1 << KIND_SHIFT) - 1))
}

/// The number by which the kernel asks about a node.
pub fn number(node: Node) -> u64 {
    match node {
        Node::Directory(Directory::Root) => ROOT,
        Node::Directory(directory) => directory_bits(directory),
        Node::File(file) => directory_bits(file.directory) | file_bits(file) << FILE_SHIFT,
        Node::User(file) => {
            USER << KIND_SHIFT
                | (1 + format_bits(file.format)) << FILE_SHIFT
                | u64::from(file.table)
        }
        Node::Asking(asking) => ASKING << KIND_SHIFT | asking.number,
        Node::NetNamespaceName(inode) => NAME << KIND_SHIFT | u64::from(inode),
        Node::Control(form) => CONTROL << KIND_SHIFT | control_bits(form) << FILE_SHIFT,
    }
}

/// The node of an inode number. `None` for a name that asks, and if iterfs never hands out
/// this number.
pub fn node(number: u64) -> Option<Node> {
    if number == ROOT {
        return Some(Node::Directory(Directory::Root));
    }
    let (kind, own) = (number >> KIND_SHIFT, number & NUMBER);
    match (kind, number >> FILE_SHIFT & FILE) {
        (CONTROL, bits) => {
            let mut forms = Control::ALL.into_iter().filter(|_| own == 0);
            forms
                .find(|form| control_bits(*form) == bits)
                .map(Node::Control)
        }
        (NAME, 0) => u32::try_from(own).ok().map(Node::NetNamespaceName),
        (USER, bits @ 1..) => {
            let format = format(bits - 1)?;
            let table = u32::try_from(own).ok().filter(|table| *table != 0)?;
            Some(Node::User(UserFile { table, format }))
        }
        (kind, bits) => {
            let directory = directory(kind, own)?;
            match bits {
                // The root has its own number and no other.
                0 if directory == Directory::Root => None,
                0 => Some(Node::Directory(directory)),
                bits => Some(Node::File(file(directory, bits)?)),
            }
        }
    }
}

fn directory_bits(directory: Directory) -> u64 {
    let (kind, number) = match directory {
        Directory::Root => (0, 0),
        Directory::Processes => (1, 0),
        Directory::Process(pid) => (2, u64::from(pid)),
        Directory::Net => (3, 0),
        Directory::Bpf => (4, 0),
        Directory::Kernel => (5, 0),
        Directory::Maps => (6, 0),
        Directory::Map(id) => (7, u64::from(id)),
        Directory::Cgroup(id) => (8, id & NUMBER),
        Directory::Summary => (9, 0),
        Directory::User => (USER, 0),
        Directory::NetNamespaces => (12, 0),
        Directory::NetNamespace(inode) => (13, u64::from(inode)),
    };
    kind << KIND_SHIFT | number
}

fn directory(kind: u64, number: u64) -> Option<Directory> {
    let short = u32::try_from(number).ok();
    match (kind, number) {
        (0, 0) => Some(Directory::Root),
        (1, 0) => Some(Directory::Processes),
        (2, 1..) => short.map(Directory::Process),
        (3, 0) => Some(Directory::Net),
        (4, 0) => Some(Directory::Bpf),
        (5, 0) => Some(Directory::Kernel),
        (6, 0) => Some(Directory::Maps),
        (7, 1..) => short.map(Directory::Map),
        (8, id) => Some(Directory::Cgroup(id)),
        (9, 0) => Some(Directory::Summary),
        (USER, 0) => Some(Directory::User),
        (12, 0) => Some(Directory::NetNamespaces),
        (13, 1..) => short.map(Directory::NetNamespace),
        _ => None,
    }
}

fn file_bits(file: File) -> u64 {
    1 + u64::from(file.table.index()) * FORMATS + format_bits(file.format)
}

fn format_bits(format: Format) -> u64 {
    format.index() as u64
}

fn format(bits: u64) -> Option<Format> {
    Format::ALL.get(usize::try_from(bits).ok()?).copied()
}

fn control_bits(form: Control) -> u64 {
    match form {
        Control::Text => 1,
        Control::Json => 2,
    }
}

fn file(directory: Directory, bits: u64) -> Option<File> {
    let bits = bits.checked_sub(1)?;
    let table = TableId::new(u16::try_from(bits / FORMATS).ok()?)?;
    let format = format(bits % FORMATS)?;
    let place = directory.place()?;
    table.table().places.contains(&place).then_some(File {
        directory,
        table,
        format,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_nodes_are_one_to_one() {
        let mut directories = vec![
            Directory::Root,
            Directory::Process(1),
            Directory::Process(u32::MAX),
            Directory::Map(1),
            Directory::Map(u32::MAX),
            Directory::NetNamespace(1),
            Directory::NetNamespace(u32::MAX),
            Directory::Cgroup(1),
            Directory::Cgroup(NUMBER),
        ];
        directories.extend(Directory::Root.directories());
        directories.extend(Directory::Bpf.directories());
        let mut seen = HashSet::new();
        for directory in directories {
            let files = directory
                .tables()
                .flat_map(|id| directory.files_of(id, &Format::ALL));
            let files = files.map(Node::File);
            for node in std::iter::once(Node::Directory(directory)).chain(files) {
                assert!(seen.insert(number(node)), "{node:?}");
                assert_eq!(super::node(number(node)), Some(node));
            }
        }
        let forms = Control::ALL.into_iter().map(Node::Control);
        let user = Format::ALL
            .into_iter()
            .flat_map(|format| [1, u32::MAX].map(|table| Node::User(UserFile { table, format })));
        let names = [1, u32::MAX].map(Node::NetNamespaceName);
        for node in forms.chain(user).chain(names) {
            assert!(seen.insert(number(node)), "{node:?}");
            assert_eq!(super::node(number(node)), Some(node));
        }
    }

    #[test]
    fn a_question_is_found_by_its_number_and_shown_by_its_name() {
        let asking = iterfs_mapping::Asking {
            base: iterfs_mapping::Base::User(UserFile {
                table: 1,
                format: Format::Text,
            }),
            number: 7,
            identity: (1 << KIND_SHIFT) - 1,
        };
        let node = Node::Asking(asking);
        assert_eq!(question(number(node)), Some(7));
        assert_eq!(super::node(number(node)), None);
        assert_eq!(shown(node), u64::MAX >> 4);
        assert_eq!(question(number(Node::Control(Control::Text))), None);
    }

    #[test]
    fn the_root_has_one_number() {
        assert_eq!(node(ROOT), Some(Node::Directory(Directory::Root)));
        assert_eq!(node(0), None);
    }

    proptest! {
        #[test]
        fn a_number_that_means_something_is_the_one_given_out(any in any::<u64>(), kind in 0u64..16, file in 0u64..200, pid in 0u64..3) {
            for number in [any, kind << KIND_SHIFT | file << FILE_SHIFT | pid] {
                if let Some(node) = node(number) {
                    prop_assert_eq!(super::number(node), number);
                }
            }
        }
    }
}
