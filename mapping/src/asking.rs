//! Files whose names ask: `TABLE@TERM[,TERM…][.FORMAT]`.

use crate::format::Format;
use crate::narrowing::Contents;
use crate::node::{Directory, File, Node, UserFile};
use crate::query::{ASKS, Fault, Query, Wrong};

/// A file whose name asks a question of a table.
///
/// The question itself is kept by whoever hands out the number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Asking {
    /// The file with the same table and format whose name asks nothing. Whoever may read it
    /// may ask.
    pub base: Base,
    /// The number of the question, which is never reused.
    pub number: u64,
    /// The same number for the same name, so that a program that looks at a name twice finds
    /// one file. At most 56 bits.
    pub identity: u64,
}

/// A file that shows a table, without a question.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Base {
    /// A table of the layout.
    File(File),
    /// A table in `user`.
    User(UserFile),
}

impl Base {
    /// The directory that contains the file.
    pub fn directory(self) -> Directory {
        match self {
            Base::File(file) => file.directory,
            Base::User(_) => Directory::User,
        }
    }

    /// The table, and the format of the file.
    pub fn contents(self) -> (Contents, Format) {
        match self {
            Base::File(file) => (Contents::Table(file.instance()), file.format),
            Base::User(file) => (Contents::User(file.table), file.format),
        }
    }
}

impl From<Base> for Node {
    fn from(base: Base) -> Node {
        match base {
            Base::File(file) => Node::File(file),
            Base::User(file) => Node::User(file),
        }
    }
}

/// A file name that asks, taken apart. Nothing here knows whether there is such a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AskingName<'a> {
    /// The name of the table.
    pub table: &'a str,
    /// The terms, which need not be valid.
    pub terms: &'a [u8],
    /// The format.
    pub format: Format,
}

impl<'a> AskingName<'a> {
    /// Takes a name apart at its first `@`; none if there is none, or if no table could be
    /// named so.
    pub fn split(name: &'a [u8]) -> Option<AskingName<'a>> {
        let at = name.iter().position(|byte| *byte == ASKS)?;
        let table = std::str::from_utf8(&name[..at]).ok()?;
        let (terms, format) = Format::split_bytes(&name[at + 1..]);
        Some(AskingName {
            table,
            terms,
            format,
        })
    }

    /// The name of the file that shows the whole table in the same format.
    pub fn base(&self) -> String {
        format!("{}{}", self.table, self.format.suffix())
    }

    /// The query that the terms write.
    ///
    /// # Errors
    /// The first term that is wrong, or one that the format cannot show.
    pub fn query(&self) -> Result<Query, Fault> {
        let query = Query::parse(self.terms)?;
        if query.every.is_some() && self.format == Format::Json {
            let mut terms = self.terms.split(|byte| *byte == b',');
            let every = terms.find(|term| term.starts_with(b"every="));
            let why = "an array ends, and these passes do not; use .jsonl";
            return Err(Fault::of(
                every.unwrap_or(self.terms),
                Wrong::Together("every", Format::Json.suffix(), why),
            ));
        }
        Ok(query)
    }
}

impl Directory {
    /// The file that shows the table of a name that asks, whether or not it exists now; none
    /// if this directory has no such table. Tables in `user` are not resolved here.
    pub fn asked(self, name: &AskingName<'_>) -> Option<File> {
        match self.child(&name.base())? {
            // The format is named at the end alone, not before the terms.
            Node::File(file) if file.format == name.format => Some(file),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_taken_apart_at_its_first_at_sign() {
        let split = |name: &'static str| {
            let name = AskingName::split(name.as_bytes())?;
            let terms = std::str::from_utf8(name.terms).unwrap();
            Some((name.base(), terms))
        };
        assert_eq!(
            split("tcp@state=LISTEN"),
            Some(("tcp".into(), "state=LISTEN"))
        );
        assert_eq!(
            split("cgroup.self@id=7,id.csv"),
            Some(("cgroup.self.csv".into(), "id=7,id"))
        );
        assert_eq!(split("files@path=a@b"), Some(("files".into(), "path=a@b")));
        assert_eq!(split("files@.json"), Some(("files.json".into(), "")));
        assert_eq!(split("files"), None);
    }

    #[test]
    fn only_tables_of_the_directory_are_asked() {
        let asked = |directory: Directory, name: &str| {
            let name = AskingName::split(name.as_bytes()).unwrap();
            directory.asked(&name).map(File::path)
        };
        assert_eq!(
            asked(Directory::Net, "tcp@state=LISTEN.csv").as_deref(),
            Some("net/tcp.csv")
        );
        assert_eq!(
            asked(Directory::Process(7), "files@fd=0").as_deref(),
            Some("pid/7/files")
        );
        for (directory, name) in [
            (Directory::Net, "tasks@pid=1"),
            (Directory::Root, "net@x"),
            (Directory::Root, "ctl@x"),
            (Directory::Root, "tasks.json@pid=1"),
            (Directory::Processes, "1@x"),
            (Directory::Cgroup(7), "user@1000.service"),
        ] {
            assert_eq!(asked(directory, name), None, "{name}");
        }
    }

    #[test]
    fn passes_without_end_are_no_array() {
        let fault = |name: &str| {
            let name = AskingName::split(name.as_bytes()).unwrap();
            name.query().map(drop).map_err(|fault| fault.to_string())
        };
        let refused = fault("tasks@pid=1,every=1s.json").unwrap_err();
        assert!(refused.starts_with("'every=1s': every and .json exclude each other"));
        assert_eq!(fault("tasks@pid=1,every=1s.jsonl"), Ok(()));
        assert_eq!(fault("tasks@pid=1.json"), Ok(()));
    }

    proptest! {
        #[test]
        fn a_name_is_put_together_again(table in "[a-z.]{0,8}", terms in "[a-z=@.,]{0,12}", suffix in 0..Format::ALL.len()) {
            let format = Format::ALL[suffix];
            let name = format!("{table}@{terms}{}", format.suffix());
            let split = AskingName::split(name.as_bytes()).unwrap();
            prop_assert_eq!(split.table, table);
            let again = [split.terms, split.format.suffix().as_bytes()].concat();
            prop_assert_eq!(again, [terms.as_bytes(), format.suffix().as_bytes()].concat());
        }

        #[test]
        fn no_bytes_make_it_panic(name: Vec<u8>) {
            if let Some(name) = AskingName::split(&name) {
                let _ = name.query();
                let _ = Directory::Root.asked(&name);
            }
        }
    }
}
