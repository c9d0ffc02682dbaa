//! Formats: the rows of a pass as the bytes of a file.
//!
//! Each format has a file of its own, which says how it writes a row and what its
//! [`Framing`] is. Nothing outside this folder knows one format from another. All formats
//! show the same values ([`values`]) and keep the line of the row before ([`line_cache`]).
//!
//! A [`Formatter`] lays out once whatever is the same in every row. Writing a row then
//! allocates nothing, apart from the growth of the output.

mod csv;
mod flag_cache;
mod framing;
mod json;
mod line_cache;
mod nesting;
mod text;
mod values;

pub use framing::Framing;
pub(crate) use text::word;

use iterfs_mapping::Format;
use iterfs_mapping::row::{Record, Schema};

/// Turns records of one pass into the bytes of a file.
#[derive(Debug)]
pub struct Formatter {
    rows: Rows,
    framing: Framing,
    /// Whether anything precedes rows. Most formats need not even look at `lead`.
    is_separated: bool,
    /// Precedes the next row.
    lead: &'static [u8],
}

/// How each format writes a row.
#[derive(Debug)]
enum Rows {
    Text(text::Columns),
    Json(json::Objects),
    Csv(csv::Lines),
}

impl Formatter {
    /// A formatter for rows of `schema`. The next row is the first of the file.
    pub fn new(format: Format, schema: &Schema) -> Formatter {
        let (rows, framing) = match format {
            Format::Text => (
                Rows::Text(text::Columns::new(schema)),
                text::framing(schema),
            ),
            Format::Json => (
                Rows::Json(json::Objects::in_array(schema)),
                json::array_framing(),
            ),
            Format::JsonLines => (
                Rows::Json(json::Objects::in_lines(schema)),
                Framing::default(),
            ),
            Format::Csv => (Rows::Csv(csv::Lines::new(schema)), csv::framing(schema)),
        };
        Formatter {
            is_separated: !framing.first.is_empty() || !framing.separator.is_empty(),
            lead: framing.first,
            rows,
            framing,
        }
    }

    /// The bytes of the format around and between rows.
    pub fn framing(&self) -> &Framing {
        &self.framing
    }

    /// Begins a file: writes its head.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.framing.head);
        self.lead = self.framing.first;
    }

    /// Continues a file: the next row follows rows that another formatter writes.
    pub fn resume(&mut self) {
        self.lead = self.framing.separator;
    }

    /// Writes a row, and before it whatever separates it from the row before.
    #[inline]
    pub fn row(&mut self, schema: &Schema, record: Record<'_>, out: &mut Vec<u8>) {
        if self.is_separated {
            out.extend_from_slice(self.lead);
            self.lead = self.framing.separator;
        }
        match &mut self.rows {
            Rows::Text(columns) => columns.row(schema, record, out),
            Rows::Json(objects) => objects.row(schema, record, out),
            Rows::Csv(lines) => lines.row(schema, record, out),
        }
    }
}

#[cfg(test)]
mod tests;
