//! Compares a row with what is expected of it, column by column, none left out.

use crate::Row;
use serde_json::Value;
use std::fmt::Debug;

/// A row whose columns are being compared.
#[derive(Debug)]
pub struct Columns {
    row: Row,
    unchecked: Row,
    wrong: Vec<String>,
}

impl Columns {
    /// A row of which nothing is compared yet.
    pub fn of(row: &Row) -> Columns {
        Columns {
            row: row.clone(),
            unchecked: row.clone(),
            wrong: Vec::new(),
        }
    }

    /// Expects exactly this value; `None` of an option is null.
    pub fn is(&mut self, column: &str, expected: impl Into<Value>) -> &mut Columns {
        let (expected, found) = (expected.into(), self.take(column));
        if found != expected {
            self.note(column, found, expected);
        }
        self
    }

    /// Expects a number from `low` to `high`.
    pub fn between(&mut self, column: &str, low: u64, high: u64) -> &mut Columns {
        let found = self.take(column);
        let inside = |number| (low..=high).contains(&number);
        if !found.as_u64().is_some_and(inside) {
            self.note(column, found, low..=high);
        }
        self
    }

    /// Takes a column out for a comparison of the caller's own.
    pub fn number(&mut self, column: &str) -> u64 {
        let found = self.take(column);
        let number = found.as_u64();
        number.unwrap_or_else(|| unreachable!("{column} is {found}, no number: {:?}", self.row))
    }

    /// Ends the comparison.
    pub fn done(&mut self) {
        assert!(
            self.wrong.is_empty(),
            "{}\nin {}",
            self.wrong.join("\n"),
            Value::Object(self.row.clone())
        );
        let left: Vec<_> = self.unchecked.keys().collect();
        assert!(left.is_empty(), "columns that nothing compares: {left:?}");
    }

    fn take(&mut self, column: &str) -> Value {
        let found = self.unchecked.remove(column);
        found.unwrap_or_else(|| unreachable!("no {column} (left) in {:?}", self.row))
    }

    fn note(&mut self, column: &str, found: Value, expected: impl Debug) {
        self.wrong
            .push(format!("{column} is {found}, expected {expected:?}"));
    }
}

/// The one row that has these values.
pub fn find<'a>(rows: &'a [Row], wanted: &[(&str, Value)]) -> &'a Row {
    let matching = select(rows, wanted);
    assert_eq!(matching.len(), 1, "rows with {wanted:?}: {matching:?}");
    matching[0]
}

/// All rows that have these values.
pub fn select<'a>(rows: &'a [Row], wanted: &[(&str, Value)]) -> Vec<&'a Row> {
    let has = |row: &Row, (column, value): &(&str, Value)| row.get(*column) == Some(value);
    rows.iter()
        .filter(|row| wanted.iter().all(|wanted| has(row, wanted)))
        .collect()
}
