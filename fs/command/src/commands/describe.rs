//! Descriptions of tables: the meaning of a row, and the columns.
//!
//! The built-in programs describe the columns of their tables. The daemon of the mount
//! describes the columns of a user program, in `ctl.json`.

use super::ctl;
use super::locate::{Place, without_terms};
use super::reference::schema;
use anyhow::{Context, Result, bail};
use iterfs_mapping::row::Role;
use iterfs_mapping::{Control, Format, Node, Schema, TABLES, TableId};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The meaning of a row, and its columns.
#[derive(Debug, Deserialize, Eq, PartialEq)]
pub(super) struct Description {
    /// A description of one row.
    pub(super) row: String,
    /// The columns, in their order.
    pub(super) columns: Vec<Column>,
}

/// A column of a table.
#[derive(Debug, Deserialize, Eq, PartialEq)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its meaning.
    pub(super) meaning: String,
    /// The kind of its values, such as `bytes` or `one of running, sleeping`.
    pub(super) kind: String,
    /// Its part in a comparison of two passes.
    #[serde(default)]
    pub(super) role: Role,
    /// Whether it is shown only if a name asks for it.
    #[serde(default)]
    pub(super) on_request: bool,
}

/// A table in the report of a daemon.
#[derive(Debug, Deserialize)]
pub(super) struct Reported {
    /// Its path, with a placeholder for a name that varies.
    pub(super) path: String,
    /// The file of a user program.
    object: Option<PathBuf>,
    /// A description of one row.
    pub(super) row: Option<String>,
    columns: Option<Vec<Column>>,
}

#[derive(Deserialize)]
struct Report {
    tables: Vec<Reported>,
}

impl Column {
    /// The names that the column's values may have.
    pub(super) fn names(&self) -> Vec<&str> {
        let list = (self.kind.strip_prefix("one of ")).or(self.kind.strip_prefix("any of "));
        match list {
            Some(list) => list.split(", ").collect(),
            None if self.kind == "true or false" => vec!["true", "false"],
            None => Vec::new(),
        }
    }
}

/// The description of the table at a place, whatever its name asks.
///
/// # Errors
/// No such table, or the daemon that knows it does not answer.
pub(super) fn describe(place: &Place) -> Result<Description> {
    let path = without_terms(&place.below);
    match own_table(path) {
        Some(table) if !place.inside => built_in(table),
        own => of_mounts(path, own, &place.mounts),
    }
}

/// A table as the first of these mounts that has it shows it.
fn of_mounts(path: &str, own: Option<TableId>, mounts: &[PathBuf]) -> Result<Description> {
    let (user, _) = Format::split(path);
    let reported = own.map_or_else(|| user.into(), TableId::documented_path);
    if own.is_none() && !path.starts_with("user/") {
        bail!(no_table(path));
    }
    let mut last = None;
    for mount in mounts {
        let tables = match report(mount) {
            Ok(tables) => tables,
            Err(error) => {
                last = Some(error);
                continue;
            }
        };
        let mut tables = tables.into_iter();
        let found = tables.find(|table| table.path == reported && table.object.is_some());
        match found {
            Some(Reported {
                row: Some(row),
                columns: Some(columns),
                ..
            }) => return Ok(Description { row, columns }),
            Some(_) => {
                bail!("the program of {reported} prints text itself, so its columns are unknown")
            }
            None => {}
        }
    }
    match (own, last, mounts) {
        // Only root can find out whether another program replaced it.
        (Some(table), ..) => built_in(table),
        (None, Some(error), _) => Err(error),
        (None, None, []) => bail!("cannot describe {reported}: no iterfs is mounted"),
        (None, None, _) => {
            let mounts: Vec<_> = mounts
                .iter()
                .map(|mount| mount.display().to_string())
                .collect();
            bail!("no table {reported} below {}", mounts.join(", "))
        }
    }
}

/// The tables that the daemon of a mount reports. Only root may ask.
///
/// # Errors
/// The report cannot be read.
pub(super) fn report(mount: &Path) -> Result<Vec<Reported>> {
    let file = ctl::open(mount, Control::Json, false)?;
    let report: Report = serde_json::from_reader(file)
        .with_context(|| format!("cannot read the report of {}", mount.display()))?;
    Ok(report.tables)
}

/// The built-in table that a path shows.
pub(super) fn own_table(path: &str) -> Option<TableId> {
    // Paths as the documentation writes them stand for any process and any map.
    let path = path.replace("<n>", "1").replace("<id>", "1");
    let names: Vec<_> = path.split('/').collect();
    // A net namespace may have any name.
    let path = match names[..] {
        ["netns", _, table] => format!("net/{table}"),
        _ => path,
    };
    match Node::parse(&path)? {
        Node::File(file) => Some(file.table),
        _ => None,
    }
}

/// The description that a built-in program contains.
///
/// # Errors
/// The program is damaged.
pub(super) fn built_in(table: TableId) -> Result<Description> {
    let Schema { row, columns, .. } = schema(table.table())?;
    let columns = columns.into_iter().map(|column| Column {
        kind: column.kind.describe().to_string(),
        name: column.name,
        meaning: column.doc,
        role: column.role,
        on_request: column.on_request,
    });
    Ok(Description {
        row,
        columns: columns.collect(),
    })
}

fn no_table(path: &str) -> String {
    let tables = TABLES.iter().flat_map(|table| {
        let places = table
            .places
            .iter()
            .filter_map(|place| place.patterns().first());
        places.map(|pattern| pattern.documented(table.name))
    });
    let tables: Vec<_> = tables.collect();
    format!(
        "no table '{path}' below a mount; the tables are {}, and user/NAME",
        tables.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_tables() {
        let name = |path: &str| Some(own_table(path)?.table().name);
        assert_eq!(name("net/tcp.json"), Some("tcp"));
        assert_eq!(name("pid/<n>/files"), Some("files"));
        assert_eq!(name("netns/blue/udp"), Some("udp"));
        assert_eq!(name("bpf/map/7/elements"), Some("elements"));
        assert_eq!(name("cgroup/a/b/cgroup.self"), Some("cgroup.self"));
        for none in ["", "net", "user/x", "ctl", "nothing", "net/tcp/x"] {
            assert_eq!(name(none), None, "{none}");
        }
    }

    #[test]
    fn a_column_knows_the_names_of_its_values() {
        let table = own_table("tasks").unwrap();
        let columns = built_in(table).unwrap().columns;
        let names = |name: &str| {
            let column = columns.iter().find(|column| column.name == name).unwrap();
            column.names().join(" ")
        };
        assert!(names("state").starts_with("running sleeping disk_sleep "));
        assert_eq!(names("pid"), "");
    }
}
