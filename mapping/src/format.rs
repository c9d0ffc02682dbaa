//! The formats of a table's files. The suffix of the file name selects the format.

/// Declares the formats, one per row: the name and the suffix of the file name.
macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $suffix:literal,)+) => {
        /// The format of a file's rows.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Format {
            $($(#[$doc])* $format,)+
        }

        impl Format {
            /// Every format, in the order in which files are listed.
            pub const ALL: [Format; [$($suffix),+].len()] = [$(Format::$format),+];

            /// The part of a file name after the name of the table: `.json`, or nothing for
            /// text.
            pub const fn suffix(self) -> &'static str {
                match self {
                    $(Format::$format => $suffix,)+
                }
            }
        }
    };
}

formats! {
    /// A header and columns of a minimum width: `tasks`.
    Text = "",
    /// One JSON array of objects: `tasks.json`.
    Json = ".json",
    /// One JSON object per line: `tasks.jsonl`.
    JsonLines = ".jsonl",
    /// RFC 4180 with a header: `tasks.csv`.
    Csv = ".csv",
}

impl Format {
    /// The index of the format in [`Format::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Splits a file name into the table's name and the format.
    ///
    /// A name without a known suffix is the name of a text file.
    pub fn split(name: &str) -> (&str, Format) {
        let (table, format) = Self::split_bytes(name.as_bytes());
        (&name[..table.len()], format)
    }

    /// The same for a name that need not be UTF-8.
    pub fn split_bytes(name: &[u8]) -> (&[u8], Format) {
        Self::ALL
            .into_iter()
            .filter(|format| !format.suffix().is_empty())
            .find_map(|format| {
                let table = name.strip_suffix(format.suffix().as_bytes())?;
                Some((table, format))
            })
            .unwrap_or((name, Format::Text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_split_off_and_join_again() {
        for (index, format) in Format::ALL.into_iter().enumerate() {
            assert_eq!(format.index(), index);
            let name = format!("tasks{}", format.suffix());
            assert_eq!(Format::split(&name), ("tasks", format));
        }
        assert_eq!(Format::split("tasks.xml"), ("tasks.xml", Format::Text));
        assert_eq!(Format::split("cgroup.self"), ("cgroup.self", Format::Text));
    }
}
