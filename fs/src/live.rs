//! The directories that come and go with what runs: processes, maps, cgroups.

use crate::error::Result;
use iterfs_bpf::schema::{Column, Record, Schema, Value};
use iterfs_bpf::{Caller, Error, Tables, View, each_row};
use iterfs_mapping::number::parse_id;
use iterfs_mapping::{
    Directory, Format, Instance, Need, Node, Parameter, Place, TableId, UserFile,
};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

/// The table that has a row a process, and the column that numbers them.
const PROCESSES: (Place, &str) = (Place::Root, "processes");
const PROCESS_ID: &str = "pid";
const STARTED: &str = "start";

/// The table that says which task is in which net namespace.
const TASKS: (Place, &str) = (Place::Root, "tasks");
const NET_NAMESPACE: &str = "netns";

/// The table that has a row a map, and what of it decides about `bpf/map/<id>`.
const MAPS: (Place, &str) = (Place::Bpf, "maps");
const MAP_ID: &str = "id";
const MAP_TYPE: &str = "type";

/// What is the same whoever asks is asked as the host sees it.
const HOST: View = View::of(Caller::Daemon);

/// The directories in one that are there now to a reader, with their names.
pub(crate) fn list(
    tables: &dyn Tables,
    view: &View,
    parent: Directory,
) -> Result<Vec<(OsString, Directory)>> {
    let named = |directory: Directory| (directory.name().into(), directory);
    match parent {
        Directory::Processes => {
            let found = processes(tables, view, Parameter::None)?.into_iter();
            let named = found.map(|process| named(Directory::Process(process.pid)));
            Ok(named.collect())
        }
        Directory::Maps => {
            let maps = maps(tables)?;
            let shown = maps
                .into_iter()
                .filter(|map| map.tables(tables).next().is_some());
            Ok(shown.map(|map| named(Directory::Map(map.id))).collect())
        }
        Directory::NetNamespaces => {
            let mut found = net_namespaces(tables)?;
            found.extend(names(tables)?.into_iter().map(|(_, inode)| inode));
            Ok(found
                .into_iter()
                .map(Directory::NetNamespace)
                .map(named)
                .collect())
        }
        Directory::Cgroup(id) => {
            let below = tables.cgroups_below(id)?;
            let below = below.into_iter();
            Ok(below
                .map(|(name, id)| (name, Directory::Cgroup(id)))
                .collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// What stands under a name that the kernel or the administrator gave.
pub(crate) fn find(tables: &dyn Tables, parent: Directory, name: &OsStr) -> Result<Option<Node>> {
    match parent {
        Directory::Cgroup(id) => {
            let found = tables.cgroup_below(id, name)?;
            Ok(found.map(|id| Node::Directory(Directory::Cgroup(id))))
        }
        Directory::NetNamespaces => {
            let found = names(tables)?.into_iter().find(|(own, _)| own == name);
            Ok(found.map(|(_, inode)| Node::NetNamespaceName(inode)))
        }
        Directory::User => {
            let named = |(own, _): &(String, UserFile)| name == &**own;
            let found = user_files(tables).find(named);
            Ok(found.map(|(_, file)| Node::User(file)))
        }
        _ => Ok(None),
    }
}

/// The files in `user`, with their names.
pub(crate) fn user_files(tables: &dyn Tables) -> impl Iterator<Item = (String, UserFile)> {
    tables.user_tables().into_iter().flat_map(|table| {
        let file = move |format: &Format| {
            let name = format!("{}{}", table.name, format.suffix());
            let file = UserFile {
                table: table.number,
                format: *format,
            };
            (name, file)
        };
        table.form.formats.iter().map(file)
    })
}

/// Whether a directory is there now to a reader.
pub(crate) fn exists(tables: &dyn Tables, view: &View, directory: Directory) -> Result<bool> {
    match directory {
        Directory::Process(pid) => Ok(process(tables, view, pid)?.is_some()),
        Directory::Map(_) => Ok(!tables_in(tables, directory)?.is_empty()),
        Directory::Cgroup(id) => Ok(tables.cgroup_exists(id)?),
        Directory::NetNamespace(inode) => Ok(tables.net_namespace_exists(inode)?),
        _ => Ok(true),
    }
}

/// The tables that are in a directory now.
pub(crate) fn tables_in(tables: &dyn Tables, directory: Directory) -> Result<Vec<TableId>> {
    if let Directory::Map(id) = directory {
        let map = maps(tables)?.into_iter().find(|map| map.id == id);
        return Ok(map.map_or_else(Vec::new, |map| map.tables(tables).collect()));
    }
    let here = directory.tables().filter(|table| tables.present(*table));
    Ok(here.collect())
}

/// A process, as the table of processes has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pid: u32,
    /// When it started, in nanoseconds since boot.
    pub(crate) started: u64,
}

/// The process of a number, if the reader sees one.
pub(crate) fn process(tables: &dyn Tables, view: &View, pid: u32) -> Result<Option<Process>> {
    let found = processes(tables, view, Parameter::Process(pid))?;
    Ok(found.first().copied())
}

/// The processes the reader sees, in the order the kernel walks them.
fn processes(tables: &dyn Tables, view: &View, parameter: Parameter) -> Result<Vec<Process>> {
    let mut found = Vec::new();
    walk(tables, view, PROCESSES, parameter, |schema, record| {
        let pid = number(schema, PROCESS_ID, record).and_then(|pid| u32::try_from(pid).ok());
        if let (Some(pid), Some(started)) = (pid, number(schema, STARTED, record)) {
            found.push(Process { pid, started });
        }
    })?;
    Ok(found)
}

/// The net namespaces that tasks of the host are in.
fn net_namespaces(tables: &dyn Tables) -> Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    walk(tables, &HOST, TASKS, Parameter::None, |schema, record| {
        let inode = number(schema, NET_NAMESPACE, record);
        found.extend(inode.and_then(|inode| u32::try_from(inode).ok()));
    })?;
    Ok(found)
}

/// The names of net namespaces. One that is a number would hide what has it.
fn names(tables: &dyn Tables) -> Result<Vec<(OsString, u32)>> {
    let mut names = tables.net_namespace_names()?;
    names.retain(|(name, _)| name.to_str().and_then(parse_id).is_none());
    Ok(names)
}

/// The names that stand beside the directories of net namespaces.
pub(crate) fn links(tables: &dyn Tables, parent: Directory) -> Result<Vec<(OsString, Node)>> {
    if parent != Directory::NetNamespaces {
        return Ok(Vec::new());
    }
    let names = names(tables)?.into_iter();
    Ok(names
        .map(|(name, inode)| (name, Node::NetNamespaceName(inode)))
        .collect())
}

/// A map, as the table of maps has it.
struct Map {
    id: u32,
    kind: Box<str>,
}

impl Map {
    /// The tables that walk maps of its type.
    fn tables(&self, tables: &dyn Tables) -> impl Iterator<Item = TableId> {
        Directory::Map(self.id).tables().filter(|table| {
            let fits = match table.table().need {
                Need::Map(kinds) => kinds.contains(&&*self.kind),
                _ => false,
            };
            fits && tables.present(*table)
        })
    }
}

fn maps(tables: &dyn Tables) -> Result<Vec<Map>> {
    let mut maps = Vec::new();
    walk(tables, &HOST, MAPS, Parameter::None, |schema, record| {
        let kind = column(schema, MAP_TYPE).map(|column| column.value(record));
        let id = number(schema, MAP_ID, record).and_then(|id| u32::try_from(id).ok());
        if let (Some(id), Some(Value::Name(kind))) = (id, kind) {
            let kind = kind.into();
            maps.push(Map { id, kind });
        }
    })?;
    Ok(maps)
}

/// Walks one of the tables above.
fn walk(
    tables: &dyn Tables,
    view: &View,
    (place, name): (Place, &str),
    parameter: Parameter,
    visit: impl FnMut(&Schema, Record<'_>),
) -> Result<()> {
    let Some(table) = TableId::find(place, name) else {
        return Ok(());
    };
    match each_row(tables, Instance { table, parameter }, view, visit) {
        // Without the table, there are none that it could tell of.
        Err(Error::NoTarget(_)) => Ok(()),
        walked => Ok(walked?),
    }
}

fn column<'a>(schema: &'a Schema, name: &str) -> Option<&'a Column> {
    schema.columns.iter().find(|column| column.name == name)
}

fn number(schema: &Schema, name: &str, record: Record<'_>) -> Option<u64> {
    match column(schema, name)?.value(record) {
        Value::Unsigned(number) => Some(number),
        _ => None,
    }
}
