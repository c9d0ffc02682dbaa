//! A table as it is shown: the cells of one pass, and rates since the pass before.

use super::reading::{Read, Reading};
use super::units;
use iterfs_mapping::row::Role;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Instant;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The counters of the pass before, by the keys of the rows.
#[derive(Debug, Default)]
pub(super) struct Rates {
    before: Option<(Instant, HashMap<Vec<String>, Counters>)>,
}

/// The counters of a row; none if several rows have its key.
type Counters = Option<Vec<Option<f64>>>;

/// A table as it is shown.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The names of the columns.
    pub(super) header: Vec<String>,
    /// The rows.
    pub(super) rows: Vec<Vec<Cell>>,
    /// The first column with a rate.
    pub(super) first_rate: Option<usize>,
}

/// A value as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    text: String,
    /// The value as a number, to sort by.
    number: Option<f64>,
    /// Whether the column holds numbers, which are aligned to the right.
    right: bool,
}

/// The order in which rows are shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Order {
    /// As they were read.
    #[default]
    AsRead,
    /// By the values of a column, the largest first.
    Largest(usize),
    /// By the values of a column, the smallest first.
    Smallest(usize),
}

impl Rates {
    /// The table of a pass, with rates since the pass that this saw before.
    pub(super) fn table(&mut self, reading: &Reading, read: Read) -> Table {
        let places = |role: Role| {
            let names = read.header.iter().enumerate();
            let found = names.filter(|(_, name)| reading.role(name) == role);
            found.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let (keys, counters) = (places(Role::Key), places(Role::Counter));
        let mut now: HashMap<Vec<String>, Counters> = HashMap::new();
        let mut table = Table::default();
        for (index, name) in read.header.iter().enumerate() {
            if !reading.shows(name) {
                continue;
            }
            table.header.push(name.clone());
            if counters.contains(&index) {
                table.first_rate.get_or_insert(table.header.len());
                table.header.push(format!("{name}/s"));
            }
        }
        let seconds = self.before.as_ref().map(|(begun, _)| {
            let passed = read.begun.duration_since(*begun);
            passed.as_secs_f64()
        });
        for row in &read.rows {
            let key: Vec<_> = keys.iter().map(|index| row[*index].clone()).collect();
            let counted: Vec<_> = counters
                .iter()
                .map(|index| row[*index].parse().ok())
                .collect();
            let before = (self.before.as_ref()).and_then(|(_, rows)| rows.get(&key)?.as_ref());
            let mut cells = Vec::with_capacity(table.header.len());
            for (index, name) in read.header.iter().enumerate() {
                if !reading.shows(name) {
                    continue;
                }
                let kind = reading.kind(name);
                cells.push(Cell::value(kind, &row[index]));
                if let Some(counter) = counters.iter().position(|place| *place == index) {
                    let before = before.and_then(|before| before[counter]);
                    let growth = before
                        .zip(counted[counter])
                        .map(|(before, now)| now - before);
                    // A counter that fell is one of another object.
                    let growth = growth.filter(|growth| *growth >= 0.0);
                    let rate = growth
                        .zip(seconds)
                        .map(|(growth, seconds)| growth / seconds);
                    cells.push(Cell::rate(kind, rate));
                }
            }
            table.rows.push(cells);
            if !keys.is_empty() && !counters.is_empty() {
                let same = now.entry(key);
                same.and_modify(|counters| *counters = None)
                    .or_insert(Some(counted));
            }
        }
        self.before = Some((read.begun, now));
        table
    }
}

impl Table {
    /// Puts the rows in an order. Rows with the same value keep theirs.
    pub(super) fn sort(&mut self, order: Order) {
        let (column, smallest) = match order {
            Order::AsRead => return,
            Order::Largest(column) => (column, false),
            Order::Smallest(column) => (column, true),
        };
        // An update may have replaced the columns.
        if column >= self.header.len() {
            return;
        }
        self.rows.sort_by(|one, other| {
            let (one, other) = (&one[column], &other[column]);
            // Rows without a value come last, either way.
            match (one.is_absent(), other.is_absent()) {
                (false, false) if smallest => one.compare(other),
                (false, false) => other.compare(one),
                (one, other) => one.cmp(&other),
            }
        });
    }

    /// The header and the rows, in columns as wide as their widest value.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let widths = self.widths(&self.rows);
        let rows = self.rows.iter().map({
            let widths = widths.clone();
            move |row| line(row, &widths)
        });
        std::iter::once(self.header_line(&widths)).chain(rows)
    }

    /// The width of each column, for these rows.
    pub(super) fn widths(&self, rows: &[Vec<Cell>]) -> Vec<usize> {
        let columns = self.header.iter().enumerate();
        let widths = columns.map(|(index, name)| {
            let cells = rows.iter().map(|row| row[index].text.width());
            cells.max().unwrap_or(0).max(name.width())
        });
        widths.collect()
    }

    /// The names of the columns, aligned as their values.
    pub(super) fn header_line(&self, widths: &[usize]) -> String {
        let names = self.header.iter().enumerate();
        let cells = names.map(|(index, name)| Cell {
            text: name.clone(),
            number: None,
            right: self.rows.iter().any(|row| row[index].right),
        });
        line(&cells.collect::<Vec<_>>(), widths)
    }
}

impl Cell {
    fn value(kind: &str, text: &str) -> Cell {
        Cell {
            text: units::value(kind, text),
            number: text.parse().ok().filter(|number: &f64| number.is_finite()),
            right: matches!(kind, "number" | "bytes" | "nanoseconds"),
        }
    }

    fn rate(kind: &str, rate: Option<f64>) -> Cell {
        let text = rate.map_or_else(|| "-".into(), |rate| units::rate(kind, rate));
        Cell {
            text,
            number: rate,
            right: true,
        }
    }

    fn is_absent(&self) -> bool {
        self.number.is_none() && self.text == "-"
    }

    fn compare(&self, other: &Cell) -> Ordering {
        match (self.number, other.number) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => self.text.cmp(&other.text),
        }
    }
}

/// The cells of a row in columns of these widths, numbers to the right.
pub(super) fn line(cells: &[Cell], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let blanks = " ".repeat(width.saturating_sub(cell.text.width()));
        match cell.right {
            true => line.extend([blanks.as_str(), &cell.text]),
            false => line.extend([cell.text.as_str(), &blanks]),
        }
        line.push(' ');
    }
    line
}

/// The front of a line that fits into this many cells of a terminal.
pub(super) fn clipped(line: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, character) in line.char_indices() {
        used += character.width().unwrap_or(0);
        if used > width {
            return &line[..at];
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Cell {
        Cell::value("number", text)
    }

    #[test]
    fn rows_are_sorted_and_aligned() {
        let row = |name: &str, number: &str| vec![Cell::value("text", name), cell(number)];
        let mut table = Table {
            header: vec!["name".into(), "n".into()],
            rows: vec![row("b", "2"), row("a", ""), row("long", "10")],
            first_rate: None,
        };
        let shown = |table: &Table| table.lines().collect::<Vec<_>>();
        table.sort(Order::Largest(1));
        assert_eq!(
            shown(&table),
            ["name  n ", "long 10 ", "b     2 ", "a     - "]
        );
        table.sort(Order::Smallest(1));
        assert_eq!(shown(&table)[1..], ["b     2 ", "long 10 ", "a     - "]);
        table.sort(Order::Smallest(0));
        assert_eq!(shown(&table)[1], "a     - ");
    }

    #[test]
    fn lines_are_clipped_by_their_width() {
        assert_eq!(clipped("abc", 2), "ab");
        assert_eq!(clipped("a\u{4e2d}b", 2), "a");
        assert_eq!(clipped("a\u{4e2d}b", 3), "a\u{4e2d}");
        assert_eq!(clipped("abc", 9), "abc");
    }
}
