//! Writes a query as the terms of a name.

use super::terms::{Condition, Largest, Query, Written};
use crate::format::Format;
use std::fmt::{self, Display, Formatter};

impl Display for Query {
    /// The terms, such that [`Query::parse`] reads the same query from them. Terms of one kind
    /// stay in their order.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut terms: Vec<String> = Vec::new();
        terms.extend(self.conditions.iter().map(ToString::to_string));
        terms.extend(self.columns.only.iter().map(|column| column.to_string()));
        terms.extend(self.columns.also.iter().map(|column| format!("+{column}")));
        terms.extend(self.top.iter().map(ToString::to_string));
        if let Some(count) = self.first {
            terms.push(format!("first={count}"));
        }
        if let Some(interval) = self.every {
            terms.push(format!("every={}ns", interval.as_nanos()));
        }
        if self.whole {
            terms.push("whole".into());
        }
        f.write_str(&terms.join(","))
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.negated { "!=" } else { "=" };
        write!(f, "{}{sign}{}", self.column, self.value)
    }
}

impl Display for Largest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.smallest { "-" } else { "" };
        write!(f, "top={}:{sign}{}", self.count, self.column)
    }
}

impl Display for Written {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Written::Absent => Ok(()),
            Written::Exactly(value) => f.write_str(&encoded(value)),
            Written::BeginsWith(text) => write!(f, "{}*", encoded(text)),
            Written::Between(low, high) => write!(f, "{}..{}", encoded(low), encoded(high)),
        }
    }
}

/// Encodes whatever would not be read as text: separators, and a suffix that names a format.
fn encoded(text: &[u8]) -> String {
    let mut encoded = String::new();
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' | b':' | b'+' => {
                encoded.push(char::from(*byte));
            }
            b'.' if is_text(&text[index..]) && index > 0 && text[index - 1] != b'.' => {
                encoded.push('.');
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Whether a dot that is followed by this stays a dot: it is not part of a range, and no suffix.
fn is_text(from_dot: &[u8]) -> bool {
    let is_suffix = |format: &Format| format.suffix().as_bytes() == from_dot;
    from_dot.len() > 1 && from_dot[1] != b'.' && !Format::ALL.iter().any(is_suffix)
}
