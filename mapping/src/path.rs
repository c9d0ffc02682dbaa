//! Paths below the mount, and the patterns that stand for many of them.

use crate::layout::TableId;
use crate::node::{Directory, File};
use crate::table::{Need, Place};

/// The names in a path. Redundant slashes are ignored.
pub fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// A path without redundant slashes.
pub fn plain(path: &str) -> String {
    names(path).collect::<Vec<_>>().join("/")
}

impl TableId {
    /// The path of the table, with a placeholder for a name that varies.
    pub fn documented_path(self) -> String {
        let table = self.table();
        let whole = File::whole(self).filter(|_| table.need == Need::Nothing);
        let first = table
            .places
            .first()
            .and_then(|place| place.patterns().first());
        match (whole, first) {
            (Some(file), _) => file.path(),
            (None, Some(pattern)) => pattern.documented(table.name),
            (None, None) => table.name.into(),
        }
    }
}

/// A set of directories with the same tables: a single directory, or one for each process, map,
/// cgroup or net namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pattern {
    /// The path up to the name that varies, without leading or trailing slashes.
    prefix: &'static str,
    /// A placeholder for that name; none for a single directory.
    differs: Option<&'static str>,
}

impl Pattern {
    const fn single(prefix: &'static str) -> Pattern {
        Pattern {
            prefix,
            differs: None,
        }
    }

    const fn each(prefix: &'static str, placeholder: &'static str) -> Pattern {
        Pattern {
            prefix,
            differs: Some(placeholder),
        }
    }

    /// The path of a table in these directories as documents write it, such as `pid/<n>/files`.
    pub fn documented(self, table: &str) -> String {
        self.written(self.differs, table)
    }

    /// The path of a table in these directories as access rules write it, such as
    /// `pid/*/files`.
    pub fn starred(self, table: &str) -> String {
        self.written(self.differs.map(|_| "*"), table)
    }

    fn written(self, differs: Option<&str>, table: &str) -> String {
        let parts = [Some(self.prefix), differs, Some(table)];
        let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("/")
    }
}

impl Place {
    /// The patterns of the directories of this kind.
    pub const fn patterns(self) -> &'static [Pattern] {
        match self {
            Place::Root => const { &[Pattern::single("")] },
            Place::Process => const { &[Pattern::each("pid", "<n>")] },
            Place::Net => const { &[Pattern::single("net"), Pattern::each("netns", "<inode>")] },
            Place::Bpf => const { &[Pattern::single("bpf")] },
            Place::Map => const { &[Pattern::each("bpf/map", "<id>")] },
            Place::Cgroup => const { &[Pattern::each("cgroup", "<path>")] },
            Place::Kernel => const { &[Pattern::single("kernel")] },
            Place::Summary => const { &[Pattern::single("summary")] },
        }
    }
}

impl Directory {
    /// The pattern of this directory, if it holds tables.
    pub fn pattern(self) -> Option<Pattern> {
        let mut patterns = self.place()?.patterns().iter();
        let is_one_of_many = match self {
            Directory::Process(_)
            | Directory::NetNamespace(_)
            | Directory::Map(_)
            | Directory::Cgroup(_) => true,
            Directory::Root
            | Directory::Processes
            | Directory::Net
            | Directory::NetNamespaces
            | Directory::Bpf
            | Directory::Maps
            | Directory::Kernel
            | Directory::Summary
            | Directory::User => false,
        };
        patterns
            .find(|pattern| pattern.differs.is_some() == is_one_of_many)
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;

    #[test]
    fn a_pattern_is_written_for_documents_and_for_rules() {
        let pattern = |directory: Directory| directory.pattern().unwrap();
        assert_eq!(
            pattern(Directory::Process(7)).documented("files"),
            "pid/<n>/files"
        );
        assert_eq!(
            pattern(Directory::Process(7)).starred("files"),
            "pid/*/files"
        );
        assert_eq!(
            pattern(Directory::NetNamespace(7)).starred("tcp"),
            "netns/*/tcp"
        );
        assert_eq!(pattern(Directory::Net).starred("tcp"), "net/tcp");
        assert_eq!(pattern(Directory::Root).starred("tasks"), "tasks");
        assert_eq!(
            pattern(Directory::CGROUPS).starred("cgroup.self"),
            "cgroup/*/cgroup.self"
        );
        assert_eq!(Directory::Maps.pattern(), None);
    }

    #[test]
    fn every_table_is_found_by_the_paths_of_its_places() {
        for id in TableId::all() {
            let table = id.table();
            for pattern in table.places.iter().flat_map(|place| place.patterns()) {
                let path = pattern.written(pattern.differs.map(|_| "1"), table.name);
                let found = Node::parse(&path);
                assert!(
                    matches!(found, Some(Node::File(file)) if file.table == id),
                    "{path}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn redundant_slashes_are_ignored() {
        assert_eq!(plain("//net///tcp/"), "net/tcp");
        assert_eq!(plain("/"), "");
    }
}
