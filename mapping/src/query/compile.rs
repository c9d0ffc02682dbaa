//! Compares a query with the schema of a table.

use super::fault::{Fault, Wrong};
use super::filter::{Clause, Filter, Test};
use super::operand::{self, absent, has_order, operand};
use super::question::{Question, Shown, Top};
use super::similar::most_similar;
use super::terms::{Condition, Largest, Query, Written};
use crate::row::{Column, Kind, Schema};
use std::sync::Arc;

/// The column that holds the process of a row.
const PROCESS: &str = "pid";

impl Question {
    /// The question that a query asks of a table with this schema.
    ///
    /// # Errors
    /// The first term that does not fit.
    pub fn of(query: &Query, schema: &Schema) -> Result<Question, Fault> {
        let shown = shown(query, schema)?;
        let filter = filter(query, schema)?;
        let top = query.top.as_ref().map(|top| ranking(top, schema));
        let top = top.transpose()?;
        let asked = query.conditions.iter().map(|condition| &condition.column);
        let asked = schema
            .columns
            .iter()
            .filter(|column| asked.clone().any(|name| **name == *column.name));
        let made = shown
            .iter()
            .chain(asked)
            .chain(top.iter().map(|top| &top.column));
        Ok(Question {
            made: Shown::of(made),
            filter,
            process: process(query, schema),
            top,
            first: query.first,
            schema: Arc::new(Schema {
                columns: shown,
                ..schema.clone()
            }),
        })
    }
}

/// The columns to show.
fn shown(query: &Query, schema: &Schema) -> Result<Vec<Column>, Fault> {
    let named = |name: &str, sign: &str| {
        let found = column(schema, name);
        found
            .cloned()
            .map_err(|wrong| Fault::of(format!("{sign}{name}").as_bytes(), wrong))
    };
    let only = query.columns.only.iter().map(|name| named(name, ""));
    let mut shown = only.collect::<Result<Vec<_>, _>>()?;
    if shown.is_empty() {
        shown = schema.by_default().columns;
    }
    for name in &query.columns.also {
        let also = named(name, "+")?;
        // A default column is shown already.
        if !shown.contains(&also) {
            shown.push(also);
        }
    }
    Ok(shown)
}

fn column<'a>(schema: &'a Schema, name: &str) -> Result<&'a Column, Wrong> {
    let found = schema.columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| {
        let names = schema.columns.iter().map(|column| column.name.as_str());
        Wrong::NoColumn {
            column: name.into(),
            suggestion: most_similar(name, names),
        }
    })
}

/// The conditions, clause by clause. Conditions with `=` on one column are one clause.
fn filter(query: &Query, schema: &Schema) -> Result<Filter, Fault> {
    let mut filter = Filter::default();
    for (index, condition) in query.conditions.iter().enumerate() {
        let fault = |wrong| Fault::of(condition.to_string().as_bytes(), wrong);
        let column = column(schema, &condition.column).map_err(fault)?;
        if condition.negated {
            let operand = operand(column, &condition.value).map_err(fault)?;
            filter.clauses.extend(none_of(column, operand));
            continue;
        }
        let alike = |other: &&Condition| !other.negated && other.column == condition.column;
        if query.conditions[..index].iter().any(|other| alike(&other)) {
            continue;
        }
        let all = query.conditions[index..].iter().filter(alike);
        filter.clauses.extend(any_of(column, all)?);
    }
    // A cheap test may make a costly one unnecessary.
    filter.clauses.sort_by_key(|clause| clause.costs);
    Ok(filter)
}

/// The clauses for a column that has any of some values.
fn any_of<'a>(
    column: &Column,
    conditions: impl Iterator<Item = &'a Condition>,
) -> Result<Vec<Clause>, Fault> {
    let mut tests = Vec::new();
    let (mut may_be_absent, mut unless_absent) = (false, false);
    for condition in conditions {
        let fault = |wrong| Fault::of(condition.to_string().as_bytes(), wrong);
        may_be_absent |= condition.value == Written::Absent;
        let operand = operand(column, &condition.value).map_err(fault)?;
        unless_absent |= operand.unless_absent;
        tests.extend(operand.tests);
    }
    let mut clauses = vec![clause(column, tests)];
    if unless_absent && !may_be_absent {
        clauses.extend(present(column));
    }
    Ok(clauses)
}

/// The clauses for a column that does not have a value.
fn none_of(column: &Column, operand: operand::Operand) -> Vec<Clause> {
    let tests = operand.tests.into_iter();
    let alternatives = match operand.unless_absent {
        true => absent(column),
        false => Vec::new(),
    };
    tests
        .map(|test| {
            let tests = [vec![test.negated()], alternatives.clone()].concat();
            clause(column, tests)
        })
        .collect()
}

/// The clauses for a value that is not absent. An empty set of flags is no value that a
/// condition could name, so it may count as absent here.
fn present(column: &Column) -> Vec<Clause> {
    let tests = absent(column).into_iter();
    tests
        .map(|test| clause(column, vec![test.negated()]))
        .collect()
}

fn clause(column: &Column, tests: Vec<Test>) -> Clause {
    Clause {
        column: column.name.as_str().into(),
        costs: column.on_request || column.kind == Kind::Tail,
        tests,
    }
}

fn ranking(top: &Largest, schema: &Schema) -> Result<Top, Fault> {
    let fault = |wrong| Fault::of(top.to_string().as_bytes(), wrong);
    let column = column(schema, &top.column).map_err(fault)?;
    if !has_order(&column.kind) && !matches!(column.kind, Kind::Float(_)) {
        return Err(fault(Wrong::NoOrder {
            column: column.name.as_str().into(),
            kind: column.kind.describe().into(),
            instead: "name a column of numbers, sizes or times",
        }));
    }
    Ok(Top {
        count: top.count,
        column: column.clone(),
        smallest: top.smallest,
    })
}

/// The only process whose rows the conditions can keep.
fn process(query: &Query, schema: &Schema) -> Option<u32> {
    let of_process = |condition: &&Condition| !condition.negated && &*condition.column == PROCESS;
    let mut conditions = query.conditions.iter().filter(of_process);
    let (only, none) = (conditions.next()?, conditions.next());
    schema
        .columns
        .iter()
        .find(|column| column.name == PROCESS)?;
    match &only.value {
        Written::Exactly(number) if none.is_none() => {
            let number = super::units::number(number)?;
            u32::try_from(number).ok().filter(|number| *number > 0)
        }
        _ => None,
    }
}
