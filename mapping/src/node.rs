//! The tree: directories and files, and the walk from a name to what it stands for.

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
    /// `pid`, one directory a process.
    Processes,
    /// `pid/<n>`.
    Process(u32),
    /// `net`.
    Net,
    /// `netns`, one directory a net namespace.
    NetNamespaces,
    /// `netns/<inode>`.
    NetNamespace(u32),
    /// `bpf`.
    Bpf,
    /// `bpf/map`, one directory a map.
    Maps,
    /// `bpf/map/<id>`.
    Map(u32),
    /// A cgroup, by the id of its kernfs node; `cgroup` itself, the root, is 0.
    /// The names below it are the kernel's: nothing here knows them.
    Cgroup(u64),
    /// `kernel`.
    Kernel,
    /// `summary`.
    Summary,
    /// `user`, where the tables lie that the administrator brought.
    User,
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

/// A file of `user`: a table that was brought, in one format.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct UserFile {
    /// Which table, by a number that is never used again.
    pub table: u32,
    /// How it is shown.
    pub format: Format,
}

/// A form of the control file.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Control {
    /// `ctl`, which takes commands.
    Text,
    /// `ctl.json`, which only tells.
    Json,
}

/// Anything a path can lead to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Node {
    /// A directory.
    Directory(Directory),
    /// A file that shows a table of the layout.
    File(File),
    /// A file that shows a table which was brought.
    User(UserFile),
    /// The control file.
    Control(Control),
    /// A name that somebody gave a net namespace: a symbolic link in `netns` to
    /// the directory of its inode number.
    NetNamespaceName(u32),
}

impl Control {
    /// Both forms.
    pub const ALL: [Control; 2] = [Control::Text, Control::Json];

    /// Its name at the top of the mount.
    pub const fn name(self) -> &'static str {
        match self {
            Control::Text => "ctl",
            Control::Json => "ctl.json",
        }
    }
}

impl Directory {
    /// The root of the cgroups.
    pub const CGROUPS: Directory = Directory::Cgroup(0);

    /// The directories of the root that are always there.
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

    /// The kind of place it is, where it holds tables.
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

    /// The kind of place that it is there for: its own, or that of the
    /// directories in it. None if it is there for more than tables of the layout.
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

    /// The directory it lies in; the root lies in itself. Of a cgroup, the
    /// nearest that can be told without the kernel: the root of them all.
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

    /// Its own name in its parent; empty for the root. A cgroup goes by its id
    /// here, as the kernel's messages do.
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

    /// Its path from the top of the mount, without a slash at either end.
    pub fn path(self) -> String {
        match self {
            Directory::Root => String::new(),
            other => join(other.parent(), &other.name()),
        }
    }

    /// The directories in it that do not depend on what runs.
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

    /// The tables in it, whether or not they are there now.
    pub fn tables(self) -> impl Iterator<Item = TableId> {
        let place = self.place();
        TableId::all().filter(move |id| {
            let places = id.table().places;
            place.is_some_and(|place| places.contains(&place))
        })
    }

    /// The files in it that show a table, one a format.
    pub fn files_of(self, table: TableId, formats: &[Format]) -> impl Iterator<Item = File> {
        formats.iter().map(move |format| File {
            directory: self,
            table,
            format: *format,
        })
    }

    /// What `name` stands for in this directory, whether or not it is there now;
    /// aside from what the kernel or the administrator named: cgroups, net
    /// namespaces, and the tables in `user`.
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
            // What is no number may be a name that somebody gave.
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

    /// Whose view of the system it is part of.
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
    /// The text file that shows the whole of a table, where there is one.
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

    /// The part of its table that it shows.
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
    /// The directory it is or lies in.
    pub fn directory(self) -> Directory {
        match self {
            Node::Directory(directory) => directory,
            Node::File(file) => file.directory,
            Node::User(_) => Directory::User,
            Node::Control(_) => Directory::Root,
            Node::NetNamespaceName(_) => Directory::NetNamespaces,
        }
    }

    /// The table in a file, and its format; none of a node that is no table.
    pub fn contents(self) -> Option<(Contents, Format)> {
        match self {
            Node::File(file) => Some((Contents::Table(file.instance()), file.format)),
            Node::User(file) => Some((Contents::User(file.table), file.format)),
            Node::Directory(_) | Node::Control(_) | Node::NetNamespaceName(_) => None,
        }
    }

    /// What a path from the top of the mount leads to, whether or not it is there
    /// now. A cgroup's name stands for none in particular: all have the same files.
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
    fn what_is_listed_is_found_by_its_path() {
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
    fn names_that_stand_for_nothing() {
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
        fn a_path_that_is_found_is_the_only_one(path in "(pid|net|bpf|[a-z0-9.]{0,6})(/[a-z0-9._]{0,8}){0,3}") {
            let found = match Node::parse(&path) {
                Some(Node::Directory(directory)) => directory.path(),
                Some(Node::File(file)) => file.path(),
                Some(Node::Control(control)) => control.name().into(),
                Some(Node::User(_) | Node::NetNamespaceName(_)) | None => return Ok(()),
            };
            // All cgroups are one here.
            prop_assume!(!path.starts_with("cgroup"));
            let plain: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
            prop_assert_eq!(found, plain.join("/"));
        }
    }
}
