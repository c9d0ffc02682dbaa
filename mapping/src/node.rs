//! The tree of directories and files, and the lookup of a name in it.

use crate::asking::{Asking, Base};
use crate::control::Control;
use crate::format::Format;
use crate::layout::TableId;
use crate::narrowing::{Contents, Instance, Narrowing};
use crate::number::parse_id;
use crate::path::names;
use crate::table::{Need, Place, Scope};

/// A directory.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Directory {
    /// The top of the mount.
    Root,
    /// `pid`, with one directory per process.
    Processes,
    /// `pid/<n>`.
    Process(u32),
    /// `net`.
    Net,
    /// `netns`, with one directory per net namespace.
    NetNamespaces,
    /// `netns/<inode>`.
    NetNamespace(u32),
    /// `bpf`.
    Bpf,
    /// `bpf/map`, with one directory per map.
    Maps,
    /// `bpf/map/<id>`.
    Map(u32),
    /// A cgroup, by the id of its kernfs node; `cgroup` itself, the root, is 0. The kernel
    /// names the cgroups below it, so this module does not know their names.
    Cgroup(u64),
    /// `kernel`.
    Kernel,
    /// `summary`.
    Summary,
    /// `user`, with the tables of user programs.
    User,
}

/// A file: one table in one format.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct File {
    /// The directory of the file, which may narrow the table.
    pub directory: Directory,
    /// The table that the file shows.
    pub table: TableId,
    /// The format of the file.
    pub format: Format,
}

/// A file in `user`: the table of a user program, in one format.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct UserFile {
    /// The number of the table, which is never reused.
    pub table: u32,
    /// The format of the file.
    pub format: Format,
}

/// Anything that a path can lead to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Node {
    /// A directory.
    Directory(Directory),
    /// A file that shows a table of the layout.
    File(File),
    /// A file that shows the table of a user program.
    User(UserFile),
    /// A file that shows the answer to a question, which its name asks.
    Asking(Asking),
    /// The control file.
    Control(Control),
    /// The name of a net namespace (ip-netns(8)): a symbolic link in `netns` to the directory
    /// of its inode number.
    NetNamespaceName(u32),
}

impl Directory {
    /// The root of the cgroups.
    pub const CGROUPS: Directory = Directory::Cgroup(0);

    /// The directories that are always in the root.
    const TOP: [Directory; 8] = [
        Directory::Processes,
        Directory::Net,
        Directory::NetNamespaces,
        Directory::Bpf,
        Directory::CGROUPS,
        Directory::Kernel,
        Directory::Summary,
        Directory::User,
    ];

    /// The kind of place that this directory is, if it holds tables.
    pub fn place(self) -> Option<Place> {
        match self {
            Directory::Root => Some(Place::Root),
            Directory::Processes | Directory::NetNamespaces | Directory::Maps | Directory::User => {
                None
            }
            Directory::Process(_) => Some(Place::Process),
            Directory::Net | Directory::NetNamespace(_) => Some(Place::Net),
            Directory::Bpf => Some(Place::Bpf),
            Directory::Map(_) => Some(Place::Map),
            Directory::Cgroup(_) => Some(Place::Cgroup),
            Directory::Kernel => Some(Place::Kernel),
            Directory::Summary => Some(Place::Summary),
        }
    }

    /// The kind of place that this directory serves: its own, or that of its subdirectories.
    /// None if it serves more than tables of the layout.
    pub fn purpose(self) -> Option<Place> {
        match self {
            Directory::Processes => Some(Place::Process),
            Directory::NetNamespaces => Some(Place::Net),
            Directory::Maps => Some(Place::Map),
            Directory::Root
            | Directory::Process(_)
            | Directory::Net
            | Directory::NetNamespace(_)
            | Directory::Bpf
            | Directory::Map(_)
            | Directory::Cgroup(_)
            | Directory::Kernel
            | Directory::Summary
            | Directory::User => self.place(),
        }
    }

    /// The parent directory; the root is its own parent. For a cgroup this is the root of all
    /// cgroups, because only the kernel knows the real parent.
    pub fn parent(self) -> Directory {
        match self {
            Directory::Process(_) => Directory::Processes,
            Directory::NetNamespace(_) => Directory::NetNamespaces,
            Directory::Maps => Directory::Bpf,
            Directory::Map(_) => Directory::Maps,
            Directory::Cgroup(1..) => Directory::CGROUPS,
            Directory::Root
            | Directory::Processes
            | Directory::Net
            | Directory::NetNamespaces
            | Directory::Bpf
            | Directory::Cgroup(0)
            | Directory::Kernel
            | Directory::Summary
            | Directory::User => Directory::Root,
        }
    }

    /// The name in the parent directory; empty for the root. A cgroup is named by its id, as in
    /// the kernel's messages.
    pub fn name(self) -> String {
        match self {
            Directory::Root => String::new(),
            Directory::Processes => "pid".into(),
            Directory::Process(number)
            | Directory::Map(number)
            | Directory::NetNamespace(number) => number.to_string(),
            Directory::Net => "net".into(),
            Directory::NetNamespaces => "netns".into(),
            Directory::Bpf => "bpf".into(),
            Directory::Maps => "map".into(),
            Directory::Cgroup(0) => "cgroup".into(),
            Directory::Cgroup(id) => format!("<id {id}>"),
            Directory::Kernel => "kernel".into(),
            Directory::Summary => "summary".into(),
            Directory::User => "user".into(),
        }
    }

    /// The path from the root of the mount, without leading or trailing slashes.
    pub fn path(self) -> String {
        match self {
            Directory::Root => String::new(),
            other => join(other.parent(), &other.name()),
        }
    }

    /// The subdirectories that do not depend on the state of the machine.
    pub fn directories(self) -> impl Iterator<Item = Directory> {
        let fixed: &[Directory] = match self {
            Directory::Root => &Self::TOP,
            Directory::Bpf => &[Directory::Maps],
            Directory::Processes
            | Directory::Process(_)
            | Directory::Net
            | Directory::NetNamespaces
            | Directory::NetNamespace(_)
            | Directory::Maps
            | Directory::Map(_)
            | Directory::Cgroup(_)
            | Directory::Kernel
            | Directory::Summary
            | Directory::User => &[],
        };
        fixed.iter().copied()
    }

    /// The tables in this directory, whether or not the kernel has their targets.
    pub fn tables(self) -> impl Iterator<Item = TableId> {
        let place = self.place();
        TableId::all().filter(move |id| {
            let places = id.table().places;
            place.is_some_and(|place| places.contains(&place))
        })
    }

    /// The files in this directory that show a table, one per format.
    pub fn files_of(self, table: TableId, formats: &[Format]) -> impl Iterator<Item = File> {
        formats.iter().map(move |format| File {
            directory: self,
            table,
            format: *format,
        })
    }

    /// The node with this name in the directory, whether or not it exists now. Names that the
    /// kernel or the administrator chose are not resolved here: cgroups, net namespaces, and
    /// tables in `user`.
    pub fn child(self, name: &str) -> Option<Node> {
        match self {
            Directory::Root => {
                let mut control = Control::ALL.into_iter();
                if let Some(control) = control.find(|control| control.name() == name) {
                    return Some(Node::Control(control));
                }
            }
            Directory::Processes => {
                return Some(Node::Directory(Directory::Process(parse_id(name)?)));
            }
            Directory::Maps => return Some(Node::Directory(Directory::Map(parse_id(name)?))),
            // Any other name may be that of a net namespace.
            Directory::NetNamespaces => {
                return Some(Node::Directory(Directory::NetNamespace(parse_id(name)?)));
            }
            Directory::Process(_)
            | Directory::Net
            | Directory::NetNamespace(_)
            | Directory::Bpf
            | Directory::Map(_)
            | Directory::Cgroup(_)
            | Directory::Kernel
            | Directory::Summary
            | Directory::User => {}
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

    /// The scope of the tables in this directory.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Directory::Root | Directory::Summary | Directory::User => None,
            Directory::Processes | Directory::Process(_) => Some(Scope::PidNamespace),
            Directory::Net => Some(Scope::NetNamespace),
            Directory::NetNamespaces
            | Directory::NetNamespace(_)
            | Directory::Bpf
            | Directory::Maps
            | Directory::Map(_)
            | Directory::Cgroup(_)
            | Directory::Kernel => Some(Scope::Host),
        }
    }
}

impl File {
    /// The text file that shows the whole of a table, if there is one.
    pub fn whole(table: TableId) -> Option<File> {
        let mut directories = [Directory::Root]
            .into_iter()
            .chain(Directory::Root.directories());
        let directory = directories.find(|directory| directory.tables().any(|id| id == table))?;
        Some(File {
            directory,
            table,
            format: Format::Text,
        })
    }

    /// The part of the table that the file shows.
    pub fn instance(self) -> Instance {
        let narrowing = match (self.directory, self.table.table().need) {
            (Directory::Process(pid), _) => Narrowing::Process(pid),
            (Directory::Map(id), _) => Narrowing::Map(id),
            (Directory::NetNamespace(inode), _) => Narrowing::NetNamespace(inode),
            (Directory::Cgroup(id), Need::Cgroup(order)) => Narrowing::Cgroup(id, order),
            (
                Directory::Root
                | Directory::Processes
                | Directory::Net
                | Directory::NetNamespaces
                | Directory::Bpf
                | Directory::Maps
                | Directory::Cgroup(_)
                | Directory::Kernel
                | Directory::Summary
                | Directory::User,
                _,
            ) => Narrowing::Nothing,
        };
        Instance {
            table: self.table,
            narrowing,
        }
    }

    /// The text file that shows this part of a table, if there is one.
    pub fn of(instance: Instance) -> Option<File> {
        let directory = match instance.narrowing {
            Narrowing::Nothing => return File::whole(instance.table),
            Narrowing::Process(pid) => Directory::Process(pid),
            Narrowing::NetNamespace(inode) => Directory::NetNamespace(inode),
            Narrowing::Map(id) => Directory::Map(id),
            Narrowing::Cgroup(id, _) => Directory::Cgroup(id),
            Narrowing::Thread(_) | Narrowing::EachCgroup(_) => return None,
        };
        let file = File {
            directory,
            table: instance.table,
            format: Format::Text,
        };
        let place = directory.place()?;
        let is_there = instance.table.table().places.contains(&place);
        (is_there && file.instance() == instance).then_some(file)
    }

    /// The name in its directory.
    pub fn name(self) -> String {
        format!("{}{}", self.table.table().name, self.format.suffix())
    }

    /// The path from the root of the mount.
    pub fn path(self) -> String {
        join(self.directory, &self.name())
    }
}

impl Node {
    /// The node itself if it is a directory, or else the directory that contains it.
    pub fn directory(self) -> Directory {
        match self {
            Node::Directory(directory) => directory,
            Node::File(file) => file.directory,
            Node::User(_) => Directory::User,
            Node::Asking(asking) => asking.base.directory(),
            Node::Control(_) => Directory::Root,
            Node::NetNamespaceName(_) => Directory::NetNamespaces,
        }
    }

    /// The node whose rights and presence this node shares: that of the table for a name that
    /// asks, and the node itself for every other.
    pub fn base(self) -> Node {
        match self {
            Node::Asking(asking) => asking.base.into(),
            other => other,
        }
    }

    /// The table and the format of a file; none if the node does not show a table.
    pub fn contents(self) -> Option<(Contents, Format)> {
        match self {
            Node::File(file) => Some(Base::File(file).contents()),
            Node::User(file) => Some(Base::User(file).contents()),
            Node::Asking(asking) => Some(asking.base.contents()),
            Node::Directory(_) | Node::Control(_) | Node::NetNamespaceName(_) => None,
        }
    }

    /// The node that a path from the root of the mount leads to, whether or not it exists now.
    /// All cgroups have the same files, so a cgroup's name does not select one.
    pub fn parse(path: &str) -> Option<Node> {
        names(path).try_fold(Node::Directory(Directory::Root), |node, name| match node {
            Node::Directory(directory @ Directory::Cgroup(_)) => {
                Some(directory.child(name).unwrap_or(node))
            }
            Node::Directory(directory) => directory.child(name),
            _ => None,
        })
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
        let mut all = vec![
            Directory::Root,
            Directory::Process(42),
            Directory::Map(7),
            Directory::NetNamespace(4_026_531_833),
        ];
        all.extend(Directory::Root.directories());
        all.extend(Directory::Bpf.directories());
        all
    }

    #[test]
    fn every_listed_file_is_found_by_its_path() {
        for directory in every_directory() {
            assert_eq!(
                Node::parse(&directory.path()),
                Some(Node::Directory(directory))
            );
            for file in directory
                .tables()
                .flat_map(|id| directory.files_of(id, &Format::ALL))
            {
                assert_eq!(Node::parse(&file.path()), Some(Node::File(file)));
                if file.format == Format::Text {
                    assert_eq!(File::of(file.instance()), Some(file));
                }
            }
        }
    }

    #[test]
    fn a_process_narrows_its_tables() {
        let Some(Node::File(file)) = Node::parse("pid/42/files.json") else {
            panic!("pid/42/files.json is a file");
        };
        assert_eq!(file.instance().narrowing, Narrowing::Process(42));
        assert_eq!(file.format, Format::Json);
    }

    #[test]
    fn unknown_names_are_not_found() {
        for path in [
            "nothing",
            "pid/0",
            "pid/042",
            "pid/self",
            "pid/42/net",
            "pid/42/processes",
            "netns/host",
            "netns/1/netns",
            "bpf/map/x",
            "bpf/map/7/maps",
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
        fn every_node_has_one_path(path in "(pid|net|bpf|[a-z0-9.]{0,6})(/[a-z0-9._]{0,8}){0,3}") {
            let found = match Node::parse(&path) {
                Some(Node::Directory(directory)) => directory.path(),
                Some(Node::File(file)) => file.path(),
                Some(Node::Control(control)) => control.name().into(),
                Some(Node::User(_) | Node::Asking(_) | Node::NetNamespaceName(_)) | None => return Ok(()),
            };
            // `Node::parse` does not tell cgroups apart.
            prop_assume!(!path.starts_with("cgroup"));
            let plain: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
            prop_assert_eq!(found, plain.join("/"));
        }
    }
}
