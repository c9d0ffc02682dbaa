//! One pass over the table: a read of its CSV file.

use crate::commands::describe::{Column, describe};
use crate::commands::explain::fault;
use crate::commands::locate::{Place, locate, without_terms};
use anyhow::{Context, Result, anyhow, bail};
use iterfs_mapping::row::Role;
use iterfs_mapping::{Format, Query};
use rustix::io::Errno;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file to read, and the meaning of its columns.
#[derive(Debug)]
pub(super) struct Reading {
    /// The name, as the user gave it.
    pub(super) title: String,
    /// The time between the beginnings of two passes.
    pub(super) delay: Duration,
    /// The description of the columns, as far as it is known.
    columns: Vec<Column>,
    /// Columns that were added to the name to find the rows of one object, and are not shown.
    hidden: Vec<String>,
    /// Whether the name asks for an order of its own.
    pub(super) ordered: bool,
    place: Place,
    file: PathBuf,
}

/// The rows of one pass, as they were written.
#[derive(Debug)]
pub(super) struct Read {
    /// The time at which the pass began.
    pub(super) begun: Instant,
    /// The names of the columns.
    pub(super) header: Vec<String>,
    /// The values; an absent one is empty.
    pub(super) rows: Vec<Vec<String>>,
}

impl Reading {
    /// A reading of the table at a path.
    ///
    /// # Errors
    /// The path lies below no mount, or a term of the name or the delay is wrong.
    pub(super) fn of(path: &Path, delay: &str) -> Result<Reading> {
        let place = locate(path)?;
        let mount = place.mount()?.to_owned();
        let table = without_terms(&place.below).to_owned();
        // The file that is read is of another format.
        let (below, _) = Format::split(&place.below);
        let mut query = match below.strip_prefix(&table) {
            Some(asked) if !asked.is_empty() => Query::parse(&asked.as_bytes()[1..])?,
            _ => Query::default(),
        };
        let delay = match query.every.take() {
            Some(interval) => interval,
            None => interval(delay)?,
        };
        // A pass is read once, from the front.
        query.whole = false;
        // Without a description there are no rates, but there are rows.
        let columns = describe(&place).map(|described| described.columns);
        let columns = columns.unwrap_or_default();
        let hidden = add_key(&mut query, &columns);
        let (table, _) = Format::split(&table);
        let suffix = Format::Csv.suffix();
        let file = match query == Query::default() {
            true => format!("{table}{suffix}"),
            false => format!("{table}@{query}{suffix}"),
        };
        Ok(Reading {
            title: below.to_owned(),
            delay,
            columns,
            hidden,
            ordered: query.top.is_some(),
            file: mount.join(file),
            place: Place {
                mounts: vec![mount],
                ..place
            },
        })
    }

    /// Reads the table once.
    ///
    /// # Errors
    /// The file cannot be opened or read; for a name that asks in vain, the reason.
    pub(super) fn read(&self) -> Result<Read> {
        let begun = Instant::now();
        let file = File::open(&self.file).map_err(|error| self.cannot_open(error))?;
        let broken = || format!("cannot read {}", self.file.display());
        let mut reader = csv::Reader::from_reader(file);
        let text = |record: &csv::ByteRecord| {
            let fields = record.iter();
            let fields = fields.map(|field| String::from_utf8_lossy(field).into_owned());
            fields.collect::<Vec<_>>()
        };
        let header = text(reader.byte_headers().with_context(broken)?);
        let mut rows = Vec::new();
        for record in reader.byte_records() {
            rows.push(text(&record.with_context(broken)?));
        }
        Ok(Read {
            begun,
            header,
            rows,
        })
    }

    fn cannot_open(&self, error: std::io::Error) -> anyhow::Error {
        let invalid = error.raw_os_error() == Some(Errno::INVAL.raw_os_error());
        // The reason that the daemon gives says more than EINVAL.
        if invalid && let Some(reason) = fault(&self.place) {
            return anyhow!(reason);
        }
        let advice = match error.kind() {
            ErrorKind::NotFound => "there is no such table, or it prints text itself",
            ErrorKind::PermissionDenied => "you may not read the table",
            _ => "cannot open the table",
        };
        anyhow!(error).context(format!("{}: {advice}", self.file.display()))
    }

    /// Whether a column is shown.
    pub(super) fn shows(&self, name: &str) -> bool {
        !self.hidden.iter().any(|hidden| hidden == name)
    }

    /// The part that a column plays, by its name. The columns of a map's key are named after it.
    pub(super) fn role(&self, name: &str) -> Role {
        self.column(name).map_or(Role::Value, |column| column.role)
    }

    /// The kind of a column's values; empty if it is unknown.
    pub(super) fn kind(&self, name: &str) -> &str {
        self.column(name).map_or("", |column| &column.kind)
    }

    fn column(&self, name: &str) -> Option<&Column> {
        let is_part = |column: &&Column| match name.strip_prefix(&column.name) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        };
        let mut columns = self.columns.iter();
        columns
            .clone()
            .find(|column| column.name == name)
            .or_else(|| columns.find(is_part))
    }
}

/// Adds the columns that identify a row to a name that asks for some columns, and returns those
/// that it did not ask for.
fn add_key(query: &mut Query, columns: &[Column]) -> Vec<String> {
    if query.columns.only.is_empty() {
        return Vec::new();
    }
    let asked = query.columns.only.iter().chain(&query.columns.also);
    let is_asked = |name: &str| asked.clone().any(|asked| **asked == *name);
    let key = columns.iter().filter(|column| column.role == Role::Key);
    let missing = key.filter(|column| !is_asked(&column.name));
    let missing: Vec<_> = missing.map(|column| column.name.clone()).collect();
    let added = missing.iter().map(|name| name.as_str().into());
    query.columns.also.extend(added);
    missing
}

/// A duration, written as in `every=`.
fn interval(delay: &str) -> Result<Duration> {
    match Query::parse(format!("every={delay}").as_bytes()) {
        Ok(Query {
            every: Some(interval),
            ..
        }) => Ok(interval),
        Ok(_) => bail!("invalid delay '{delay}'"),
        Err(fault) => bail!("invalid delay '{delay}': {}", fault.wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::describe::{built_in, own_table};

    #[test]
    fn missing_columns_of_the_key_are_added() {
        let columns = built_in(own_table("files").unwrap()).unwrap().columns;
        let added = |terms: &str| {
            let mut query = Query::parse(terms.as_bytes()).unwrap();
            let hidden = add_key(&mut query, &columns);
            (query.to_string(), hidden.join(" "))
        };
        let of = |terms: &str, hidden: &str| (terms.into(), hidden.into());
        assert_eq!(added("fd,size"), of("fd,size,+pid,+tid", "pid tid"));
        assert_eq!(added("size,+fd"), of("size,+fd,+pid,+tid", "pid tid"));
        assert_eq!(added("type=REG"), of("type=REG", ""));
    }

    #[test]
    fn a_delay_is_a_duration() {
        assert_eq!(interval("1.5s").unwrap(), Duration::from_millis(1500));
        for wrong in ["", "1", "0s", "x", "2d", "1s,whole"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
