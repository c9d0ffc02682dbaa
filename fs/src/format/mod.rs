//! Rows as bytes: one file a format, all over the same values.
//!
//! A [`Formatter`] is made once a pass, when it lays out what is the same for
//! every row; writing a row then allocates nothing beyond the output's growth.

mod csv;
mod json;
mod line;
mod nesting;
mod remembered;
mod spelling;
mod text;

pub(crate) use text::word;

use iterfs_bpf::schema::{Record, Schema};
use iterfs_mapping::Format;

/// Turns the records of one pass into the bytes of a file.
#[derive(Debug)]
pub enum Formatter {
    /// Columns of text.
    Text(text::Columns),
    /// JSON, as one array or an object a line.
    Json(json::Objects),
    /// Comma-separated values.
    Csv(csv::Lines),
}

impl Formatter {
    /// A formatter for the rows of `schema`.
    pub fn new(format: Format, schema: &Schema) -> Formatter {
        match format {
            Format::Text => Formatter::Text(text::Columns::new(schema)),
            Format::Json => Formatter::Json(json::Objects::new(schema, json::Framing::Array)),
            Format::JsonLines => Formatter::Json(json::Objects::new(schema, json::Framing::Lines)),
            Format::Csv => Formatter::Csv(csv::Lines::new(schema)),
        }
    }

    /// Writes what comes before the first row.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        match self {
            Formatter::Text(columns) => columns.header(out),
            Formatter::Json(objects) => objects.begin(out),
            Formatter::Csv(lines) => lines.header(out),
        }
    }

    /// Writes a row.
    #[inline]
    pub fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        match self {
            Formatter::Text(columns) => columns.row(schema, record, out),
            Formatter::Json(objects) => objects.row(schema, record, out),
            Formatter::Csv(lines) => lines.row(schema, record, out),
        }
    }

    /// Has the next row follow others, that somebody else writes.
    pub fn follow_rows(&mut self) {
        match self {
            Formatter::Json(objects) => objects.follow_rows(),
            Formatter::Text(_) | Formatter::Csv(_) => {}
        }
    }

    /// Writes what comes after the last row, if there were any.
    pub fn finish(&mut self, any_rows: bool, out: &mut Vec<u8>) {
        match self {
            Formatter::Json(objects) => objects.finish(any_rows, out),
            Formatter::Text(_) | Formatter::Csv(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
