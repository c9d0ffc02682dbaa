//! What is wrong with a name that asks.

use std::fmt::{self, Display, Formatter};

/// A term that does not parse, or does not fit its table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The term, as it was written.
    pub term: Box<str>,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with a term.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// Nothing stands between two commas, or after the `@`.
    #[error("the term is empty; write TABLE@TERM[,TERM...], such as tasks@state=running,pid")]
    Empty,
    /// A percent sign is not followed by two hexadecimal digits, or stands for a NUL.
    #[error(
        "a percent sign must be followed by two hexadecimal digits other than 00; write %25 for a percent sign"
    )]
    Encoding,
    /// A name of a column with other characters than a name can have.
    #[error("a column's name consists of letters, digits, '_', '.', '[' and ']'")]
    Name,
    /// A column that is named twice.
    #[error("the column is named twice")]
    Twice,
    /// A term of which a name may have only one.
    #[error("only one such term is allowed")]
    Again,
    /// The table has no such column.
    #[error("the table has no column {column}{}", hint(suggestion))]
    NoColumn {
        /// The column.
        column: Box<str>,
        /// A column with a similar name.
        suggestion: Option<Box<str>>,
    },
    /// The column has no such value.
    #[error("{column} is {kind}; it is never {value}{}", hint(suggestion))]
    NoValue {
        /// The column.
        column: Box<str>,
        /// The values that the column has.
        kind: Box<str>,
        /// The value.
        value: Box<str>,
        /// A value with a similar name.
        suggestion: Option<Box<str>>,
    },
    /// The column has no order, so it can have neither ranges nor a largest value.
    #[error("{column} is {kind}, which has no order; {instead}")]
    NoOrder {
        /// The column.
        column: Box<str>,
        /// The values that the column has.
        kind: Box<str>,
        /// What to write instead.
        instead: &'static str,
    },
    /// The column's values do not begin with a text.
    #[error("{column} is {kind}, which does not begin with a text; write a value{}", or_range(*ordered))]
    NoPrefix {
        /// The column.
        column: Box<str>,
        /// The values that the column has.
        kind: Box<str>,
        /// Whether a range can be written.
        ordered: bool,
    },
    /// The lower end of a range is above the upper end.
    #[error("the range is empty: its lower end is above its upper end")]
    EmptyRange,
    /// A number of rows that is not a number, is 0, or is too large.
    #[error("the number of rows is a number from 1 to {0}")]
    Count(u64),
    /// A term `top` without a column.
    #[error("write top=N:COLUMN for the largest values, or top=N:-COLUMN for the smallest")]
    Top,
    /// A duration that is too short, too long or none.
    #[error("the time between two passes is a duration from 10ms to 1d, such as 500ms, 2s or 5m")]
    Every,
    /// Two terms that exclude each other.
    #[error("{0} and {1} exclude each other: {2}")]
    Together(&'static str, &'static str, &'static str),
    /// Too many terms.
    #[error("a name has at most {0} terms")]
    TooMany(usize),
}

impl Fault {
    /// A fault of a term, which is a part of a name.
    pub fn of(term: &[u8], wrong: Wrong) -> Fault {
        Fault {
            term: String::from_utf8_lossy(term).into(),
            wrong,
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': {}", self.term, self.wrong)
    }
}

impl std::error::Error for Fault {}

fn hint(suggestion: &Option<Box<str>>) -> String {
    match suggestion {
        Some(suggestion) => format!("; did you mean {suggestion}?"),
        None => String::new(),
    }
}

fn or_range(ordered: bool) -> &'static str {
    if ordered { " or a range LOW..HIGH" } else { "" }
}
