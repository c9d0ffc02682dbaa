//! `iterfs ls [PATH]`: lists tables with the meaning of a row.

use super::describe::{self, built_in, own_table};
use super::locate::{Place, locate};
use super::output::{failed, print};
use anyhow::{Context, Result, bail};
use iterfs_fs::mount::table::directories_of_iterfs;
use iterfs_mapping::{Directory, Format, TableId};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// A table, and the meaning of its rows if it is known.
type Listed = (String, Option<String>);

/// Prints a line for each table: its path and the meaning of a row.
pub(crate) fn run(path: Option<&Path>) -> ExitCode {
    let tables = match path {
        Some(path) => locate(path).and_then(|place| below(&place)),
        None => all(),
    };
    let tables = match tables {
        Ok(tables) => tables,
        Err(error) => return failed(&error),
    };
    let paths = tables.iter().map(|(path, _)| path.chars().count());
    let width = paths.max().unwrap_or(0);
    print(|out| {
        for (path, row) in &tables {
            writeln!(out, "{path:width$}  {}", row.as_deref().unwrap_or("-"))?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The built-in tables, and the user tables of every mount that this process may look into.
fn all() -> Result<Vec<Listed>> {
    let mut tables = documented(|_| true)?;
    let mut user = BTreeMap::new();
    for mount in directories_of_iterfs().unwrap_or_default() {
        // A mount that does not let this process in lists nothing.
        user.extend(user_tables(&mount).unwrap_or_default());
    }
    tables.extend(user);
    Ok(tables)
}

/// The tables of a mount or of one of its directories.
fn below(place: &Place) -> Result<Vec<Listed>> {
    let mount = place.mount()?;
    if place.below.is_empty() && place.inside {
        let mut tables = documented(|path| is_shown(mount, path))?;
        tables.extend(user_tables(mount)?);
        return Ok(tables);
    }
    let path = mount.join(&place.below);
    if place.below == "user" {
        return user_tables(mount);
    }
    let names = names(&path)?;
    let tables = names.iter().filter_map(|name| {
        let path = format!("{}/{name}", place.below);
        let table = own_table(&path)?;
        let row = built_in(table).map(|described| described.row);
        Some(row.map(|row| (path, Some(row))))
    });
    let tables = tables.collect::<Result<Vec<_>>>()?;
    if tables.is_empty() {
        bail!(
            "{} has no tables; see: iterfs ls {}",
            path.display(),
            mount.display()
        );
    }
    Ok(tables)
}

/// The built-in tables at each of their places that `is_shown`, by the path.
fn documented(is_shown: impl Fn(&str) -> bool) -> Result<Vec<Listed>> {
    let mut tables = Vec::new();
    for table in TableId::all() {
        let row = built_in(table)?.row;
        let places = table.table().places.iter();
        for pattern in places.flat_map(|place| place.patterns()) {
            let path = pattern.documented(table.table().name);
            if is_shown(&path) {
                tables.push((path, Some(row.clone())));
            }
        }
    }
    Ok(tables)
}

/// Whether a mount shows a table to this process.
fn is_shown(mount: &Path, path: &str) -> bool {
    let path = match path.split_once('<') {
        // The root of the cgroups has the tables of any cgroup, and this process is one of
        // those in `pid`.
        Some(("cgroup/", rest)) => rest.replace("path>/", "cgroup/"),
        Some(("pid/", rest)) => format!(
            "pid/{}",
            rest.replace("n>", &std::process::id().to_string())
        ),
        Some((directory, _)) => directory.to_owned(),
        None => path.to_owned(),
    };
    fs::symlink_metadata(mount.join(path)).is_ok()
}

/// The tables in `user`. Only root can learn the meaning of their rows from the daemon.
fn user_tables(mount: &Path) -> Result<Vec<Listed>> {
    let reported = describe::report(mount).unwrap_or_default();
    let names = names(&mount.join(Directory::User.path()))?;
    let tables = names.into_iter().map(|name| {
        let path = format!("{}/{name}", Directory::User.path());
        let table = reported.iter().find(|table| table.path == path);
        let row = table.and_then(|table| table.row.clone());
        (path, row)
    });
    Ok(tables.collect())
}

/// The names in a directory that have no suffix of a format, sorted.
fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(directory);
    let entries = entries.with_context(|| format!("cannot list {}", directory.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", directory.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if Format::split(&name).1 == Format::Text {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
