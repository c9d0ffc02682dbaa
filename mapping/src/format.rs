//! The forms a table is shown in, told apart by the end of the file name.

/// How rows are written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// A header and columns of at least a fixed width: `tasks`.
    Text,
    /// One JSON array of objects: `tasks.json`.
    Json,
    /// One JSON object a line: `tasks.jsonl`.
    JsonLines,
    /// RFC 4180 with a header: `tasks.csv`.
    Csv,
}

impl Format {
    /// Every format, in the order files are listed.
    pub const ALL: [Format; 4] = [Format::Text, Format::Json, Format::JsonLines, Format::Csv];

    /// What follows the table's name in the file's: `.json`, or nothing for text.
    pub const fn suffix(self) -> &'static str {
        match self {
            Format::Text => "",
            Format::Json => ".json",
            Format::JsonLines => ".jsonl",
            Format::Csv => ".csv",
        }
    }

    /// Splits a file name into the table's name and the format.
    ///
    /// The text format claims every name that ends in no other suffix.
    pub fn split(name: &str) -> (&str, Format) {
        Self::ALL
            .into_iter()
            .filter(|format| !format.suffix().is_empty())
            .find_map(|format| Some((name.strip_suffix(format.suffix())?, format)))
            .unwrap_or((name, Format::Text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_split_off_and_join_again() {
        for format in Format::ALL {
            let name = format!("tasks{}", format.suffix());
            assert_eq!(Format::split(&name), ("tasks", format));
        }
        assert_eq!(Format::split("tasks.xml"), ("tasks.xml", Format::Text));
        assert_eq!(Format::split("cgroup.self"), ("cgroup.self", Format::Text));
    }
}
