//! How a name is answered, in a few lines for a reader: what is walked, who evaluates which
//! condition, which columns are shown.
//!
//! Everything is taken from a pass that was really started, so the explanation is what an open
//! of the name would do now.

use iterfs_mapping::contract::{Asked, Pass};
use iterfs_mapping::query::{Filter, Probe, Shown};
use iterfs_mapping::row::{Column, Schema};
use iterfs_mapping::{Narrowing, Order, Query};
use std::fmt::{self, Display, Formatter};

/// An explanation of a pass. It is displayed as lines of the form `key: value`, each of which
/// ends with a newline.
pub(crate) struct Explanation<'a> {
    /// The path of the table.
    pub(crate) table: &'a str,
    /// The target that the program walks.
    pub(crate) target: &'a str,
    /// The part of the target that the path of the table names.
    pub(crate) narrowing: Narrowing,
    /// The query that the name writes.
    pub(crate) query: Option<&'a Query>,
    /// All columns that the table has.
    pub(crate) columns: Option<&'a Schema>,
    /// The pass.
    pub(crate) pass: &'a Pass,
}

impl Display for Explanation<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "table: {}", self.table)?;
        writeln!(f, "walk: {}", self.walk())?;
        let asked = self.pass.asked.as_deref();
        let conditions = self.query.iter().flat_map(|query| &query.conditions);
        for condition in conditions {
            let place = match asked {
                Some(asked) => evaluated(asked, &condition.column),
                None => "nowhere",
            };
            writeln!(f, "condition: {condition} ({place})")?;
        }
        match &self.pass.schema {
            None => writeln!(f, "columns: the program prints text itself")?,
            Some(schema) => writeln!(f, "columns: {}", names(schema.columns.iter()))?,
        }
        if let Some((all, asked)) = self.columns.zip(asked) {
            let made = match asked.makes_only_needed {
                true => named(all, &asked.question.made),
                false => all.by_default().columns,
            };
            writeln!(f, "made: {}", names(made.iter()))?;
        }
        let Some(query) = self.query else {
            return Ok(());
        };
        if let Some(top) = &query.top {
            let which = match top.smallest {
                true => "smallest",
                false => "largest",
            };
            let (count, column) = (top.count, &top.column);
            writeln!(f, "rows: the {count} with the {which} {column} (daemon)")?;
        }
        if let Some(first) = query.first {
            writeln!(f, "rows: the first {first} (daemon)")?;
        }
        if let Some(every) = query.every {
            writeln!(
                f,
                "every: {every:?}, a pass after a pass until the file is closed"
            )?;
        }
        if query.whole {
            writeln!(f, "whole: made when the name is looked up")?;
        }
        Ok(())
    }
}

impl Explanation<'_> {
    /// Describes the walk of the pass.
    fn walk(&self) -> String {
        let walked = self.pass.asked.as_deref().and_then(|asked| asked.walked);
        let part = match (walked, self.narrowing) {
            (Some(process), _) | (None, Narrowing::Process(process)) => {
                format!("process {process} alone")
            }
            (None, Narrowing::Nothing) => "whole".into(),
            (None, Narrowing::Thread(thread)) => format!("thread {thread} alone"),
            (None, Narrowing::NetNamespace(inode)) => format!("net namespace {inode} alone"),
            (None, Narrowing::Map(id)) => format!("map {id} alone"),
            (None, Narrowing::Cgroup(id, order)) => {
                let others = match order {
                    Order::Itself => "alone",
                    Order::Descendants => "and its descendants",
                    Order::Ancestors => "and its ancestors",
                };
                match id {
                    0 => format!("the root cgroup {others}"),
                    id => format!("the cgroup with id {id} {others}"),
                }
            }
            (None, Narrowing::EachCgroup(id)) => {
                format!("the cgroup with id {id} and each below it")
            }
        };
        format!("{}, {part}", self.target)
    }
}

/// The place where the conditions on a column are evaluated: the kernel or the daemon.
fn evaluated(asked: &Asked, column: &str) -> &'static str {
    let has = |filter: &Filter| {
        filter
            .clauses
            .iter()
            .any(|clause| &*clause.column == column)
    };
    let mut all = asked.question.filter.clauses.iter();
    let is_hidden = all.any(|clause| {
        let mut tests = clause.tests.iter();
        &*clause.column == column && tests.any(|test| test.probe == Probe::Hidden)
    });
    if is_hidden {
        return "never holds: the values are hidden from this reader";
    }
    match (has(&asked.in_kernel), has(&asked.in_daemon)) {
        (true, true) => "kernel and daemon",
        (true, false) => "kernel",
        (false, true) => "daemon",
        (false, false) => "by the walk",
    }
}

/// The columns at these offsets.
fn named(schema: &Schema, made: &Shown) -> Vec<Column> {
    let columns = schema.columns.iter();
    let columns = columns.filter(|column| made.contains(column.offset));
    columns.cloned().collect()
}

fn names<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    let names = columns.map(|column| column.name.as_str());
    names.collect::<Vec<_>>().join(",")
}
