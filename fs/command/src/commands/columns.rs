//! `iterfs columns PATH`.
//!
//! The built-in programs describe the columns of their tables. The daemon of the mount
//! describes the columns of a user program, in `ctl.json`.

use super::ctl;
use super::output::print;
use super::reference::schema;
use anyhow::{Context, Result, bail};
use iterfs_fs::mount::table::directories_of_iterfs;
use iterfs_mapping::Schema;
use iterfs_mapping::{Control, Format, Node, TABLES, TableId};
use serde::Deserialize;
use std::path::{Component, Path, PathBuf, absolute};
use std::process::ExitCode;

/// The meaning of a row, and its columns.
#[derive(Debug, Deserialize, Eq, PartialEq)]
struct Description {
    row: String,
    columns: Vec<Column>,
}

#[derive(Debug, Deserialize, Eq, PartialEq)]
struct Column {
    name: String,
    meaning: String,
    kind: String,
}

/// A table in the report of a daemon.
#[derive(Debug, Deserialize)]
struct Reported {
    path: String,
    /// The file of a user program.
    object: Option<PathBuf>,
    row: Option<String>,
    columns: Option<Vec<Column>>,
}

#[derive(Deserialize)]
struct Report {
    tables: Vec<Reported>,
}

/// Prints the columns of a table, as its program documents them.
pub(crate) fn run(path: &Path) -> ExitCode {
    let description = match describe(path) {
        Ok(description) => description,
        Err(error) => {
            eprintln!("iterfs: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let columns = description.columns.iter();
    let width = columns.map(|column| column.name.len()).max().unwrap_or(0);
    print(|out| {
        writeln!(out, "A row is {}.", description.row)?;
        for column in &description.columns {
            writeln!(out, "{:width$}  {}", column.name, column.meaning)?;
            writeln!(out, "{:width$}  ({})", "", column.kind)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn describe(path: &Path) -> Result<Description> {
    let mounts = directories_of_iterfs().unwrap_or_default();
    let whole = absolute(path).context("cannot use the path")?;
    let place = below_a_mount(&whole, &mounts)
        .or_else(|| below_a_mount(&path.canonicalize().ok()?, &mounts));
    match place {
        Some((mount, below)) => of_mount(&below, &[mount]),
        None if path.is_absolute() => bail!(
            "{} is not below a mounted iterfs; give a path below one, such as net/tcp",
            path.display()
        ),
        None => of_any(&plain(path), &mounts),
    }
}

/// The innermost mount on a path, and the part of the path below it.
fn below_a_mount(path: &Path, mounts: &[PathBuf]) -> Option<(PathBuf, String)> {
    let below = |mount: &PathBuf| Some((mount.clone(), plain(path.strip_prefix(mount).ok()?)));
    let places = mounts.iter().filter_map(below);
    places.max_by_key(|(mount, _)| mount.as_os_str().len())
}

/// A path as text, without parts such as `.` that have no meaning.
fn plain(path: &Path) -> String {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    names.collect::<Vec<_>>().join("/")
}

/// A table by its path below any mount.
fn of_any(path: &str, mounts: &[PathBuf]) -> Result<Description> {
    if let Some(table) = own_table(path) {
        return built_in(table);
    }
    if !path.starts_with("user/") {
        bail!(no_table(path));
    }
    of_mount(path, mounts)
}

/// A table of one of these mounts, as that mount shows it.
fn of_mount(path: &str, mounts: &[PathBuf]) -> Result<Description> {
    let own = own_table(path);
    let (user, _) = Format::split(path);
    let reported = own.map_or_else(|| user.into(), TableId::documented_path);
    if own.is_none() && !path.starts_with("user/") {
        bail!(no_table(path));
    }
    let mut last = None;
    for mount in mounts {
        let report = match ask(mount) {
            Ok(report) => report,
            Err(error) => {
                last = Some(error);
                continue;
            }
        };
        let mut tables = report.tables.into_iter();
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

fn ask(mount: &Path) -> Result<Report> {
    let file = ctl::open(mount, Control::Json, false)?;
    serde_json::from_reader(file)
        .with_context(|| format!("cannot read the report of {}", mount.display()))
}

/// The built-in table that a path shows.
fn own_table(path: &str) -> Option<TableId> {
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

fn built_in(table: TableId) -> Result<Description> {
    let Schema { row, columns, .. } = schema(table.table())?;
    let columns = columns.into_iter().map(|column| Column {
        kind: column.kind.describe().to_string(),
        name: column.name,
        meaning: column.doc,
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
        assert_eq!(plain(Path::new("./net//tcp/")), "net/tcp");
    }
}
