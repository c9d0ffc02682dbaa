//! The programs behind the tables, which the control file changes.

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::narrowing::{Contents, Instance, Narrowing, Subject};
use crate::row::Schema;
use std::path::PathBuf;
use std::sync::Arc;

/// The programs of a kernel's tables.
pub trait Programs: Send + Sync {
    /// Makes the table `user/<name>` of a user program.
    ///
    /// # Errors
    /// Those of reading, loading and linking it. Nothing has changed then.
    fn load(&self, name: &str, object: &ObjectFile, narrowing: Narrowing) -> Result<()>;

    /// Removes a table that [`Programs::load`] made. Readers in the middle of a pass
    /// finish it.
    ///
    /// # Errors
    /// [`Error::NoUserTable`].
    fn unload(&self, name: &str) -> Result<()>;

    /// Replaces the program of a table's link and of its pinned links. Readers in the
    /// middle of a pass finish on the old program. A table that is linked anew at each
    /// open, such as a map's elements, has its program only tried on `contents`.
    ///
    /// # Errors
    /// Those of reading, loading and attaching the program; [`Error::Pinned`] for one
    /// whose records a pin cannot show. The old program stays then, everywhere.
    fn update(&self, contents: Contents, object: &ObjectFile, pinned: &[PinnedLink]) -> Result<()>;

    /// Puts a table's own program back, and its text form into the pinned links.
    ///
    /// # Errors
    /// As [`Programs::update`], and as [`super::Pins::pin`].
    fn restore(&self, instance: Instance, pinned: &[PinnedLink]) -> Result<()>;

    /// The programs that are loaded now.
    fn loaded(&self) -> Vec<Loaded>;
}

/// A file with BPF programs, and the program in it that is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectFile {
    /// The object, as clang or `bpftool gen object` writes it.
    pub path: PathBuf,
    /// The program's function; none if the object holds only one.
    pub program: Option<String>,
}

impl ObjectFile {
    /// The name that messages call it by.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// A pinned link of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PinnedLink {
    /// The table and the part of it that the pin shows.
    pub contents: Contents,
    /// The pin's path below the directory of pins.
    pub pin: String,
}

/// A program that is loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// The table that it fills.
    pub table: Subject,
    /// The name of a table in `user`.
    pub name: Option<String>,
    /// The target that it walks.
    pub target: String,
    /// The file of a user program; none for a built-in one.
    pub object: Option<PathBuf>,
    /// The shape of its rows; none if it prints text itself.
    pub schema: Option<Arc<Schema>>,
    /// The program's id.
    pub program: u32,
    /// The hash of its instructions.
    pub tag: [u8; 8],
    /// The id of the link that iterators are made of, where there is one.
    pub link: Option<u32>,
}
