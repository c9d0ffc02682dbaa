//! The part of the tree that changes as the system runs: processes, maps, cgroups, net
//! namespaces, user tables.

use crate::error::Result;
use iterfs_mapping::contract::{Backend, Map};
use iterfs_mapping::number::parse_id;
use iterfs_mapping::{AskingName, Directory, Format, Need, Node, TableId, UserFile, View};
use std::ffi::{OsStr, OsString};

/// The directories below `parent` that a reader sees now, with their names.
pub(crate) fn list(
    backend: &dyn Backend,
    view: &View,
    parent: Directory,
) -> Result<Vec<(OsString, Directory)>> {
    let named = |directory: Directory| (directory.name().into(), directory);
    match parent {
        Directory::Processes => {
            let found = backend.processes(view)?.into_iter();
            let named = found.map(|process| named(Directory::Process(process.pid)));
            Ok(named.collect())
        }
        Directory::Maps => {
            let maps = backend.maps()?.into_iter();
            let shown = maps.filter(|map| tables_of(backend, map).next().is_some());
            Ok(shown.map(|map| named(Directory::Map(map.id))).collect())
        }
        Directory::NetNamespaces => {
            let mut found = backend.net_namespaces()?;
            found.extend(names(backend)?.into_iter().map(|(_, inode)| inode));
            let found = found.into_iter().map(Directory::NetNamespace);
            Ok(found.map(named).collect())
        }
        Directory::Cgroup(id) => {
            let below = backend.cgroups_below(id)?.into_iter();
            Ok(below
                .map(|(name, id)| (name, Directory::Cgroup(id)))
                .collect())
        }
        Directory::Root
        | Directory::Process(_)
        | Directory::Net
        | Directory::NetNamespace(_)
        | Directory::Bpf
        | Directory::Map(_)
        | Directory::Kernel
        | Directory::Summary
        | Directory::User => Ok(Vec::new()),
    }
}

/// The node of a name that the kernel or the administrator assigned.
pub(crate) fn find(backend: &dyn Backend, parent: Directory, name: &OsStr) -> Result<Option<Node>> {
    match parent {
        Directory::Cgroup(id) => {
            let found = backend.cgroup_below(id, name)?;
            Ok(found.map(|id| Node::Directory(Directory::Cgroup(id))))
        }
        Directory::NetNamespaces => {
            let found = names(backend)?.into_iter().find(|(own, _)| own == name);
            Ok(found.map(|(_, inode)| Node::NetNamespaceName(inode)))
        }
        Directory::User => {
            let named = |(own, _): &(String, UserFile)| name == &**own;
            let found = user_files(backend).find(named);
            Ok(found.map(|(_, file)| Node::User(file)))
        }
        Directory::Root
        | Directory::Processes
        | Directory::Process(_)
        | Directory::Net
        | Directory::NetNamespace(_)
        | Directory::Bpf
        | Directory::Maps
        | Directory::Map(_)
        | Directory::Kernel
        | Directory::Summary => Ok(None),
    }
}

/// The file in `user` that shows the table of a name that asks.
pub(crate) fn find_user(backend: &dyn Backend, name: &AskingName<'_>) -> Option<UserFile> {
    let mut tables = backend.user_tables().into_iter();
    let table = tables.find(|table| table.name == name.table)?;
    Some(UserFile {
        table: table.number,
        format: name.format,
    })
}

/// The files in `user`, with their names.
pub(crate) fn user_files(backend: &dyn Backend) -> impl Iterator<Item = (String, UserFile)> {
    backend.user_tables().into_iter().flat_map(|table| {
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

/// The tables that a directory has now.
pub(crate) fn tables_in(backend: &dyn Backend, directory: Directory) -> Result<Vec<TableId>> {
    if let Directory::Map(id) = directory {
        let map = backend.maps()?.into_iter().find(|map| map.id == id);
        return Ok(map.map_or_else(Vec::new, |map| tables_of(backend, &map).collect()));
    }
    let here = directory.tables().filter(|table| backend.present(*table));
    Ok(here.collect())
}

/// Symbolic links to the directories of net namespaces, by the names of the namespaces.
pub(crate) fn links(backend: &dyn Backend, parent: Directory) -> Result<Vec<(OsString, Node)>> {
    if parent != Directory::NetNamespaces {
        return Ok(Vec::new());
    }
    let names = names(backend)?.into_iter();
    Ok(names
        .map(|(name, inode)| (name, Node::NetNamespaceName(inode)))
        .collect())
}

/// The names of net namespaces. A numeric name is left out: it would hide the namespace
/// that has this number.
fn names(backend: &dyn Backend) -> Result<Vec<(OsString, u32)>> {
    let mut names = backend.net_namespace_names()?;
    names.retain(|(name, _)| name.to_str().and_then(parse_id).is_none());
    Ok(names)
}

/// The tables that walk maps of this map's type.
fn tables_of(backend: &dyn Backend, map: &Map) -> impl Iterator<Item = TableId> {
    Directory::Map(map.id).tables().filter(|table| {
        let fits = match table.table().need {
            Need::Map(kinds) => kinds.contains(&&*map.kind),
            Need::Nothing | Need::Cgroup(_) => false,
        };
        fits && backend.present(*table)
    })
}
