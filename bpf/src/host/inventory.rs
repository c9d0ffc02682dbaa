//! The rows of built-in tables that iterfs itself needs, with types: processes, threads and
//! maps.
//!
//! The rows come from the built-in programs, even after an update has replaced the program of a
//! table.

use crate::kernel::Kernel;
use iterfs_mapping::contract::{Map, Pass, Process, Progress};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::{Column, Record, Records, Schema, Value};
use iterfs_mapping::{Instance, Narrowing, Place, TableId, View};

/// This is more than the kernel returns at once.
const BUFFER: usize = 64 * 1024;

/// A row of a built-in table, reduced to the columns that iterfs needs.
pub(crate) trait Row: Sized {
    /// The place and the name of the table.
    const TABLE: (Place, &'static str);
    /// The names of the required columns, in the order in which [`Row::read`] gets their
    /// values.
    const COLUMNS: &'static [&'static str];

    /// Makes a row from the values of its columns; none if a required value is absent or out of
    /// range.
    fn read(values: &mut dyn Iterator<Item = Value<'_>>) -> Option<Self>;
}

impl Row for Process {
    const TABLE: (Place, &'static str) = (Place::Root, "processes");
    const COLUMNS: &'static [&'static str] = &["pid", "start", "slots"];

    fn read(values: &mut dyn Iterator<Item = Value<'_>>) -> Option<Process> {
        Some(Process {
            pid: number(values.next()?)?,
            started: number(values.next()?)?,
            // The value is absent while the process exits.
            slots: values.next().and_then(number).unwrap_or_default(),
        })
    }
}

/// A thread and its net namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread {
    pub(crate) id: u32,
    pub(crate) net_namespace: u32,
}

impl Row for Thread {
    const TABLE: (Place, &'static str) = (Place::Root, "tasks");
    const COLUMNS: &'static [&'static str] = &["tid", "netns"];

    fn read(values: &mut dyn Iterator<Item = Value<'_>>) -> Option<Thread> {
        Some(Thread {
            id: number(values.next()?)?,
            net_namespace: number(values.next()?)?,
        })
    }
}

impl Row for Map {
    const TABLE: (Place, &'static str) = (Place::Bpf, "maps");
    const COLUMNS: &'static [&'static str] = &["id", "type"];

    fn read(values: &mut dyn Iterator<Item = Value<'_>>) -> Option<Map> {
        let id = number(values.next()?)?;
        match values.next()? {
            Value::Name(kind) => Some(Map {
                id,
                kind: kind.into(),
            }),
            _ => None,
        }
    }
}

/// The rows of a table, or of a part of it, that a reader sees. There are none if the kernel
/// lacks the target.
///
/// # Errors
/// [`Error::BadObject`] if the program's row lacks a column; those of the pass.
pub(crate) fn rows<R: Row>(kernel: &Kernel, narrowing: Narrowing, view: &View) -> Result<Vec<R>> {
    let mut rows = Vec::new();
    let (place, name) = R::TABLE;
    let table = TableId::find(place, name).ok_or_else(|| lacks(name, "no such table"))?;
    let pass = match kernel.open_own(Instance { table, narrowing }, view) {
        Err(Error::NoTarget(_)) => return Ok(rows),
        pass => pass?,
    };
    let schema = pass.schema.clone();
    let schema = schema.ok_or_else(|| lacks(name, "no row"))?;
    let columns = R::COLUMNS.iter();
    let columns = columns.map(|column| column_of(&schema, name, column));
    let columns = columns.collect::<Result<Vec<&Column>>>()?;
    each_record(pass, &schema, |record| {
        let mut values = columns.iter().map(|column| column.value(record));
        rows.extend(R::read(&mut values));
    })?;
    Ok(rows)
}

/// Walks a whole table with its built-in program and calls `visit` for each row.
///
/// # Errors
/// Those of opening the table, and of the pass.
pub fn each_row(
    kernel: &Kernel,
    instance: Instance,
    view: &View,
    mut visit: impl FnMut(&Schema, Record<'_>),
) -> Result<()> {
    let pass = kernel.open_own(instance, view)?;
    let Some(schema) = pass.schema.clone() else {
        return Ok(());
    };
    each_record(pass, &schema, |record| visit(&schema, record))
}

fn each_record(pass: Pass, schema: &Schema, mut visit: impl FnMut(Record<'_>)) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    for mut part in [pass.source].into_iter().chain(pass.rest) {
        let mut kept = 0;
        loop {
            match part.read(&mut buffer[kept..])? {
                Progress::End => break,
                Progress::Nothing => {}
                Progress::Bytes(bytes) => {
                    let end = kept + bytes;
                    let mut records = Records::new(schema, &buffer[..end]);
                    (&mut records).for_each(&mut visit);
                    kept = records.rest().len();
                    buffer.copy_within(end - kept..end, 0);
                }
            }
        }
    }
    Ok(())
}

/// The column with this name in the row of a table's program.
///
/// # Errors
/// [`Error::BadObject`] if there is none.
pub(crate) fn column_of<'a>(schema: &'a Schema, table: &str, name: &str) -> Result<&'a Column> {
    let found = schema.columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| lacks(table, &format!("no column {name}")))
}

/// The value as an integer, if it fits.
pub(crate) fn number<T: TryFrom<u64>>(value: Value<'_>) -> Option<T> {
    match value {
        Value::Unsigned(number) => T::try_from(number).ok(),
        _ => None,
    }
}

/// The error of a built-in program that lacks something iterfs needs.
pub(crate) fn lacks(table: &str, what: &str) -> Error {
    Error::BadObject {
        object: table.into(),
        what: format!("it has {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;

    /// A row with a column that no program has.
    #[derive(Debug)]
    struct Odd;

    impl Row for Odd {
        const TABLE: (Place, &'static str) = (Place::Root, "processes");
        const COLUMNS: &'static [&'static str] = &["pid", "phase_of_the_moon"];

        fn read(_: &mut dyn Iterator<Item = Value<'_>>) -> Option<Odd> {
            Some(Odd)
        }
    }

    #[test]
    fn a_missing_column_is_an_error_and_not_an_empty_list() {
        let kernel = Kernel::new().unwrap();
        let view = kernel.own_view();
        let refused = rows::<Odd>(&kernel, Narrowing::Nothing, &view).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "invalid object processes: it has no column phase_of_the_moon"
        );
    }

    #[test]
    fn this_process_is_in_the_inventory() {
        let kernel = Kernel::new().unwrap();
        let view = kernel.own_view();
        let pid = std::process::id();
        let alone = rows::<Process>(&kernel, Narrowing::Process(pid), &view).unwrap();
        assert_eq!(alone.len(), 1);
        assert_eq!(alone[0].pid, pid);
        let threads = rows::<Thread>(&kernel, Narrowing::Process(pid), &view).unwrap();
        assert!(threads.iter().any(|thread| thread.id == pid));
    }
}
