//! The directories that come and go with what runs: processes, maps, cgroups.

use crate::error::Result;
use iterfs_bpf::record::Records;
use iterfs_bpf::schema::{Column, Record, Schema, Value};
use iterfs_bpf::{Caller, Error, Progress, Tables};
use iterfs_mapping::{
    Directory, Format, Instance, Need, Node, Parameter, Place, TableId, UserFile,
};
use std::ffi::{OsStr, OsString};

/// The table that has a row a process, and the column that numbers them.
const PROCESSES: (Place, &str) = (Place::Root, "processes");
const PROCESS_ID: &str = "pid";

/// The table that has a row a map, and what of it decides about `bpf/map/<id>`.
const MAPS: (Place, &str) = (Place::Bpf, "maps");
const MAP_ID: &str = "id";
const MAP_TYPE: &str = "type";

/// More than the kernel hands out at once.
const BUFFER: usize = 64 * 1024;

/// The directories in one that are there now, with their names.
pub(crate) fn list(
    tables: &dyn Tables,
    caller: &Caller,
    parent: Directory,
) -> Result<Vec<(OsString, Directory)>> {
    let named = |directory: Directory| (directory.name().into(), directory);
    match parent {
        Directory::Processes => {
            let pids = processes(tables, caller, Parameter::None)?;
            Ok(pids
                .into_iter()
                .map(Directory::Process)
                .map(named)
                .collect())
        }
        Directory::Maps => {
            let maps = maps(tables, caller)?;
            let shown = maps
                .into_iter()
                .filter(|map| map.tables(tables).next().is_some());
            Ok(shown.map(|map| named(Directory::Map(map.id))).collect())
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

/// Whether a directory is there now.
pub(crate) fn exists(tables: &dyn Tables, caller: &Caller, directory: Directory) -> Result<bool> {
    match directory {
        Directory::Process(pid) => {
            Ok(!processes(tables, caller, Parameter::Process(pid))?.is_empty())
        }
        Directory::Map(_) => Ok(!tables_in(tables, caller, directory)?.is_empty()),
        Directory::Cgroup(id) => Ok(tables.cgroup_exists(id)?),
        _ => Ok(true),
    }
}

/// The tables that are in a directory now.
pub(crate) fn tables_in(
    tables: &dyn Tables,
    caller: &Caller,
    directory: Directory,
) -> Result<Vec<TableId>> {
    if let Directory::Map(id) = directory {
        let map = maps(tables, caller)?.into_iter().find(|map| map.id == id);
        return Ok(map.map_or_else(Vec::new, |map| map.tables(tables).collect()));
    }
    let here = directory.tables().filter(|table| tables.present(*table));
    Ok(here.collect())
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

/// The ids of the processes the caller sees, in the order the kernel walks them.
fn processes(tables: &dyn Tables, caller: &Caller, parameter: Parameter) -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    each_row(tables, caller, PROCESSES, parameter, |schema, record| {
        pids.extend(number(schema, PROCESS_ID, record));
    })?;
    Ok(pids)
}

fn maps(tables: &dyn Tables, caller: &Caller) -> Result<Vec<Map>> {
    let mut maps = Vec::new();
    each_row(tables, caller, MAPS, Parameter::None, |schema, record| {
        let kind = column(schema, MAP_TYPE).map(|column| column.value(record));
        if let (Some(id), Some(Value::Name(kind))) = (number(schema, MAP_ID, record), kind) {
            let kind = kind.into();
            maps.push(Map { id, kind });
        }
    })?;
    Ok(maps)
}

/// Walks a table and shows `visit` each row.
fn each_row(
    tables: &dyn Tables,
    caller: &Caller,
    (place, name): (Place, &str),
    parameter: Parameter,
    mut visit: impl FnMut(&Schema, Record<'_>),
) -> Result<()> {
    let Some(table) = TableId::find(place, name) else {
        return Ok(());
    };
    let mut pass = match tables.open_own(Instance { table, parameter }, caller) {
        // Without the table, there are none that it could tell of.
        Err(Error::NoTarget(_)) => return Ok(()),
        opened => opened?,
    };
    // Ours write records; no other is asked.
    let Some(schema) = pass.schema else {
        return Ok(());
    };
    let mut buffer = vec![0; BUFFER];
    let mut kept = 0;
    loop {
        match pass.source.read(&mut buffer[kept..])? {
            Progress::End => return Ok(()),
            Progress::Nothing => {}
            Progress::Bytes(bytes) => {
                let end = kept + bytes;
                let mut records = Records::new(&schema, &buffer[..end]);
                (&mut records).for_each(|record| visit(&schema, record));
                kept = records.rest().len();
                buffer.copy_within(end - kept..end, 0);
            }
        }
    }
}

fn column<'a>(schema: &'a Schema, name: &str) -> Option<&'a Column> {
    schema.columns.iter().find(|column| column.name == name)
}

fn number(schema: &Schema, name: &str, record: Record<'_>) -> Option<u32> {
    match column(schema, name)?.value(record) {
        Value::Unsigned(number) => u32::try_from(number).ok(),
        _ => None,
    }
}
