//! The tree: directories and files, and the walk from a name to what it stands for.

use crate::format::Format;
use crate::instance::{Instance, Parameter};
use crate::layout::TableId;
use crate::number::parse_id;
use crate::table::{Place, Scope};

/// A directory.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Directory {
    /// The top of the mount.
    Root,
    /// `pid`, one directory a process.
    Processes,
    /// `pid/<n>`.
    Process(u32),
    /// `net`.
    Net,
    /// `bpf`.
    Bpf,
    /// `kernel`.
    Kernel,
}

/// A file: a table in one format.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct File {
    /// Where it lies; this may narrow the table.
    pub directory: Directory,
    /// What it shows.
    pub table: TableId,
    /// How it shows it.
    pub format: Format,
}

/// Anything a path can lead to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Node {
    /// A directory.
    Directory(Directory),
    /// A file.
    File(File),
}

impl Directory {
    /// The directories of the root that are always there.
    const TOP: [Directory; 4] = [
        Directory::Processes,
        Directory::Net,
        Directory::Bpf,
        Directory::Kernel,
    ];

    /// The kind of place it is, where it holds tables.
    pub fn place(self) -> Option<Place> {
        match self {
            Directory::Root => Some(Place::Root),
            Directory::Processes => None,
            Directory::Process(_) => Some(Place::Process),
            Directory::Net => Some(Place::Net),
            Directory::Bpf => Some(Place::Bpf),
            Directory::Kernel => Some(Place::Kernel),
        }
    }

    /// The directory it lies in; the root lies in itself.
    pub fn parent(self) -> Directory {
        match self {
            Directory::Process(_) => Directory::Processes,
            _ => Directory::Root,
        }
    }

    /// Its own name in its parent; empty for the root.
    pub fn name(self) -> String {
        match self {
            Directory::Root => String::new(),
            Directory::Processes => "pid".into(),
            Directory::Process(pid) => pid.to_string(),
            Directory::Net => "net".into(),
            Directory::Bpf => "bpf".into(),
            Directory::Kernel => "kernel".into(),
        }
    }

    /// Its path from the top of the mount, without a slash at either end.
    pub fn path(self) -> String {
        match self {
            Directory::Root => String::new(),
            other => join(other.parent(), &other.name()),
        }
    }

    /// The directories in it that do not depend on what runs.
    pub fn directories(self) -> impl Iterator<Item = Directory> {
        let top: &[Directory] = match self {
            Directory::Root => &Self::TOP,
            _ => &[],
        };
        top.iter().copied()
    }

    /// The files in it.
    pub fn files(self) -> impl Iterator<Item = File> {
        let tables = self
            .place()
            .map(|place| TableId::all().filter(move |id| id.table().places.contains(&place)));
        tables.into_iter().flatten().flat_map(move |table| {
            Format::ALL.into_iter().map(move |format| File {
                directory: self,
                table,
                format,
            })
        })
    }

    /// What `name` stands for in this directory, whether or not it is there now.
    pub fn child(self, name: &str) -> Option<Node> {
        if let Directory::Processes = self {
            return Some(Node::Directory(Directory::Process(parse_id(name)?)));
        }
        if let Some(directory) = self.directories().find(|child| child.name() == name) {
            return Some(Node::Directory(directory));
        }
        let (table, format) = Format::split(name);
        let table = TableId::find(self.place()?, table)?;
        Some(Node::File(File {
            directory: self,
            table,
            format,
        }))
    }

    /// Whose view of the system it is part of.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Directory::Root => None,
            Directory::Processes | Directory::Process(_) => Some(Scope::PidNamespace),
            Directory::Net => Some(Scope::NetNamespace),
            Directory::Bpf | Directory::Kernel => Some(Scope::Host),
        }
    }
}

impl File {
    /// What an open of it shows.
    pub fn instance(self) -> Instance {
        let parameter = match self.directory {
            Directory::Process(pid) => Parameter::Process(pid),
            _ => Parameter::None,
        };
        Instance {
            table: self.table,
            parameter,
        }
    }

    /// Its name in its directory.
    pub fn name(self) -> String {
        format!("{}{}", self.table.table().name, self.format.suffix())
    }

    /// Its path from the top of the mount.
    pub fn path(self) -> String {
        join(self.directory, &self.name())
    }
}

impl Node {
    /// What a path from the top of the mount leads to, whether or not it is there now.
    pub fn parse(path: &str) -> Option<Node> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(
            Node::Directory(Directory::Root),
            |node, name| match node {
                Node::Directory(directory) => directory.child(name),
                Node::File(_) => None,
            },
        )
    }
}

fn join(directory: Directory, name: &str) -> String {
    match directory {
        Directory::Root => name.to_owned(),
        other => format!("{}/{name}", other.path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every_directory() -> Vec<Directory> {
        let mut all = vec![Directory::Root, Directory::Process(42)];
        all.extend(Directory::Root.directories());
        all
    }

    #[test]
    fn what_is_listed_is_found_by_its_path() {
        for directory in every_directory() {
            assert_eq!(
                Node::parse(&directory.path()),
                Some(Node::Directory(directory))
            );
            for file in directory.files() {
                assert_eq!(Node::parse(&file.path()), Some(Node::File(file)));
            }
        }
    }

    #[test]
    fn a_process_narrows_its_tables() {
        let Some(Node::File(file)) = Node::parse("pid/42/files.json") else {
            panic!("pid/42/files.json is a file");
        };
        assert_eq!(file.instance().parameter, Parameter::Process(42));
        assert_eq!(file.format, Format::Json);
    }

    #[test]
    fn names_that_stand_for_nothing() {
        for path in [
            "nothing",
            "pid/0",
            "pid/042",
            "pid/self",
            "pid/42/net",
            "pid/42/processes",
            "tasks/x",
            "tasks.xml",
            ".json",
            "net/tasks",
            "Tasks",
            "..",
            "tasks.json.csv",
        ] {
            assert_eq!(Node::parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_that_is_found_is_the_only_one(path in "(pid|net|bpf|[a-z0-9.]{0,6})(/[a-z0-9._]{0,8}){0,3}") {
            let found = match Node::parse(&path) {
                Some(Node::Directory(directory)) => directory.path(),
                Some(Node::File(file)) => file.path(),
                None => return Ok(()),
            };
            let plain: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
            prop_assert_eq!(found, plain.join("/"));
        }
    }
}
