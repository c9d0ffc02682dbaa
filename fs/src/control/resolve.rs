//! From a path below the mount to the table it names, as the host sees it.

use crate::error::{Failure, Result};
use crate::live;
use iterfs_bpf::{Caller, Tables, View};
use iterfs_mapping::{Directory, File, Format, Need, Node, TableId, UserFile};
use std::ffi::OsStr;

/// The text file of a table's path.
///
/// # Errors
/// A path that leads to nothing, to something else, or names a format.
pub(super) fn table(tables: &dyn Tables, path: &str) -> Result<Node> {
    let node = resolve(tables, path)?;
    match node {
        Node::File(File { format, .. }) | Node::User(UserFile { format, .. })
            if format == Format::Text =>
        {
            Ok(node)
        }
        _ => Err(Failure::NotATable(path.into())),
    }
}

fn resolve(tables: &dyn Tables, path: &str) -> Result<Node> {
    let missing = || Failure::NoTable(path.into());
    let mut node = Node::Directory(Directory::Root);
    for name in names(path) {
        let Node::Directory(directory) = node else {
            return Err(missing());
        };
        node = match directory.child(name) {
            Some(node) => node,
            None => live::find(tables, directory, OsStr::new(name))?.ok_or_else(missing)?,
        };
        let there = match node {
            Node::Directory(directory) => {
                live::exists(tables, &View::of(Caller::Daemon), directory)?
            }
            Node::File(file) => live::tables_in(tables, file.directory)?.contains(&file.table),
            Node::User(_) | Node::Control(_) | Node::NetNamespaceName(_) => true,
        };
        if !there {
            return Err(missing());
        }
    }
    Ok(node)
}

/// The parts of a path; slashes more than are needed are forgiven.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// The text file of each table that is here and needs no parameter.
pub(super) fn whole_tables(tables: &dyn Tables) -> impl Iterator<Item = File> {
    let here = TableId::all().filter(|id| tables.present(*id));
    here.filter(|id| id.table().need == Need::Nothing)
        .filter_map(File::whole)
}
