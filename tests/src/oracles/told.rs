//! Text that iterfs writes for people, to be compared with a snapshot.
//!
//! The snapshots lie beside the tests. A message that was changed on purpose is accepted
//! with `INSTA_UPDATE=always cargo test …`, and reviewed as any other change.

use std::fmt::Display;

/// Names in place of the values that differ from run to run, such as directories.
#[derive(Debug, Default)]
pub struct Redacted(Vec<(String, &'static str)>);

impl Redacted {
    /// Shows this value under a name.
    #[must_use]
    pub fn value(mut self, value: impl Display, name: &'static str) -> Redacted {
        self.0.push((value.to_string(), name));
        // The longest first: a directory is the beginning of what is in it.
        self.0
            .sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        self
    }

    /// A text with the names in it.
    pub fn text(&self, text: &str) -> String {
        let replaced = |text: String, (value, name): &(String, &str)| text.replace(value, name);
        self.0.iter().fold(text.to_owned(), replaced)
    }
}
