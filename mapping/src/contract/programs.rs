//! The programs that fill the tables. Commands of the control file change them.

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::narrowing::{Contents, Instance, Narrowing, Subject};
use crate::row::Schema;
use std::path::PathBuf;
use std::sync::Arc;

/// The programs of a kernel's tables.
pub trait Programs: Send + Sync {
    /// Creates the table `user/<name>` from a user program.
    ///
    /// # Errors Those of reading, loading and linking the program. A failure changes nothing.
    fn load(&self, name: &str, object: &ObjectFile, narrowing: Narrowing) -> Result<()>;

    /// Removes a table that [`Programs::load`] created. Readers in the middle of a pass finish
    /// it.
    ///
    /// # Errors
    /// [`Error::NoUserTable`].
    fn unload(&self, name: &str) -> Result<()>;

    /// Replaces the program of a table's link and of its pinned links. Readers in the middle of
    /// a pass finish with the old program. For a table that is linked at each open, such as a
    /// map's elements, the new program is only tried on `contents`.
    ///
    /// # Errors Those of reading, loading and attaching the program; [`Error::Pinned`] if it
    /// writes records and the table is pinned; [`Error::PinAsks`] if a pin shows rows for which
    /// a name asked. After a failure the old program stays in all
    /// links.
    fn update(&self, contents: Contents, object: &ObjectFile, pinned: &[PinnedLink]) -> Result<()>;

    /// Restores the built-in program of a table, and its text form in the pinned links. Pins
    /// that ask keep their program, which no update replaces.
    ///
    /// # Errors
    /// As [`Programs::update`], and as [`super::Pins::pin`].
    fn restore(&self, instance: Instance, pinned: &[PinnedLink]) -> Result<()>;

    /// The programs that are loaded now.
    fn loaded(&self) -> Vec<Loaded>;
}

/// A file with BPF programs, and the selected program in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectFile {
    /// The object, as clang or `bpftool gen object` writes it.
    pub path: PathBuf,
    /// The program's function; none if the object holds only one.
    pub program: Option<String>,
}

impl ObjectFile {
    /// The name of the object in messages.
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

/// A loaded program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// The table that the program fills.
    pub table: Subject,
    /// The name of a table in `user`.
    pub name: Option<String>,
    /// The target that the program walks.
    pub target: String,
    /// The file of a user program; none for a built-in one.
    pub object: Option<PathBuf>,
    /// The shape of its rows; none if the program prints text itself.
    pub schema: Option<Arc<Schema>>,
    /// The program's id.
    pub program: u32,
    /// The hash of its instructions.
    pub tag: [u8; 8],
    /// The id of the link from which iterators are made, if there is one.
    pub link: Option<u32>,
}
