//! A table's text, taken apart.

use std::fmt::{self, Debug, Formatter};

/// Header and rows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lines {
    /// The names of the columns.
    pub header: Vec<String>,
    /// A field for each column.
    pub rows: Vec<Vec<Field>>,
}

/// A field without its escapes; none for the dash of what is absent.
#[derive(Clone, Eq, PartialEq)]
pub struct Field(pub Option<Vec<u8>>);

impl Lines {
    /// Takes a text apart; each of its lines has as many fields as the first.
    pub fn of(text: &[u8]) -> Lines {
        let text = text.strip_suffix(b"\n").expect("a text that ends a line");
        let mut lines = text.split(|&byte| byte == b'\n').map(words);
        let header = lines.next().expect("a header");
        let header: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        let rows = lines.map(|words| {
            let shown = || words.iter().map(|word| word.escape_ascii().to_string());
            assert_eq!(
                words.len(),
                header.len(),
                "{:?}",
                shown().collect::<Vec<_>>()
            );
            words.into_iter().map(Field::of).collect()
        });
        Lines {
            rows: rows.collect(),
            header,
        }
    }

    /// The rows that have this value.
    pub fn with(mut self, column: &str, value: impl ToString) -> Lines {
        let index = self.index(column);
        let wanted = Field(Some(value.to_string().into_bytes()));
        self.rows.retain(|row| row[index] == wanted);
        self
    }

    /// All but what moves: the values of these columns are left out.
    pub fn but(mut self, columns: &[&str]) -> Lines {
        for column in columns {
            let index = self.index(column);
            for row in &mut self.rows {
                row.remove(index);
            }
            self.header.remove(index);
        }
        self
    }

    /// All values of a column.
    pub fn column(&self, name: &str) -> Vec<&Field> {
        let index = self.index(name);
        self.rows.iter().map(|row| &row[index]).collect()
    }

    fn index(&self, column: &str) -> usize {
        let found = self.header.iter().position(|name| name == column);
        found.unwrap_or_else(|| unreachable!("no {column} in {:?}", self.header))
    }
}

impl Field {
    fn of(word: &[u8]) -> Field {
        if word == b"-" {
            return Field(None);
        }
        let mut bytes = Vec::new();
        let mut rest = word;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            if first != b'\\' {
                bytes.push(first);
                continue;
            }
            let (digits, after) = after.split_at_checked(3).expect("three digits");
            let digits = std::str::from_utf8(digits).expect("digits");
            bytes.push(u8::from_str_radix(digits, 8).expect("an octal number"));
            rest = after;
        }
        Field(Some(bytes))
    }
}

impl Debug for Field {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(bytes) => write!(out, "{}", bytes.escape_ascii()),
            None => write!(out, "(none)"),
        }
    }
}

/// The words of a line.
fn words(line: &[u8]) -> Vec<&[u8]> {
    line.split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty())
        .collect()
}
