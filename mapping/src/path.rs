//! Paths below the mount, and the patterns that stand for many of them.

use crate::layout::TableId;
use crate::node::{Directory, File};
use crate::table::{Need, Place};

/// The names in a path. More slashes than are needed do no harm.
pub fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// A path without the slashes that it does not need.
pub fn plain(path: &str) -> String {
    names(path).collect::<Vec<_>>().join("/")
}

impl TableId {
    /// Its path, with placeholders for the names that differ.
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

/// The directories that hold the same tables: one, or one for each process, map, cgroup or
/// net namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pattern {
    /// The path up to the name that differs, without a slash at either end.
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

    /// The path of a table in them as documents write it, such as `pid/<n>/files`.
    pub fn documented(self, table: &str) -> String {
        self.written(self.differs, table)
    }

    /// The path of a table in them as rules are compared with it, such as `pid/*/files`.
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
    /// The directories that are this kind of place.
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
    /// The pattern of a directory that holds tables.
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
    fn slashes_more_than_needed_do_no_harm() {
        assert_eq!(plain("//net///tcp/"), "net/tcp");
        assert_eq!(plain("/"), "");
    }
}
