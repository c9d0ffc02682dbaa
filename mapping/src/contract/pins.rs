//! Links pinned in a bpffs, which users can read without the daemon.

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::narrowing::{Contents, Narrowing};
use crate::query::Query;
use std::path::PathBuf;

/// The pins below one directory of a bpffs.
///
/// The directory is the only record of pins: it includes pins of an earlier daemon, and lacks
/// those that somebody removed.
pub trait Pins: Send + Sync {
    /// The path of a pin.
    fn pin_path(&self, name: &str) -> PathBuf;

    /// Pins a link that prints a table as text, and returns the pin's path. `name` has one or
    /// more parts, separated by slashes. With a query, the link prints the columns and the rows
    /// for which it asks.
    ///
    /// # Errors Those of loading and linking the program; [`Error::NoText`] for one that cannot
    /// print, or cannot answer the query without the daemon; [`Error::Question`] and
    /// [`Error::PrintsText`] for a query that does not fit the table; [`Error::Pin`] with EINVAL for a name that would leave the directory, EPERM for
    /// one that bpffs does not allow (a dot) or that leads through a symbolic link, EEXIST for
    /// one that exists. A failure leaves nothing behind.
    fn pin(&self, contents: Contents, query: Option<&Query>, name: &str) -> Result<PathBuf>;

    /// Removes a pin, and the directories that become empty.
    ///
    /// # Errors [`Error::Pin`] with ENOENT if the pin does not exist; for invalid names, as
    /// [`Pins::pin`].
    fn unpin(&self, name: &str) -> Result<()>;

    /// The pinned links of iterators, by name.
    ///
    /// # Errors
    /// Those of reading the directories.
    fn pins(&self) -> Result<Vec<Pin>>;
}

/// A pinned link of an iterator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pin {
    /// Its path below the directory.
    pub name: String,
    /// The link's id.
    pub link: u32,
    /// The program's id.
    pub program: u32,
    /// The program's name, which the kernel truncates to 15 bytes (include/linux/bpf.h,
    /// BPF_OBJ_NAME_LEN).
    pub program_name: String,
    /// The hash of the program's instructions.
    pub tag: [u8; 8],
    /// The target that the program walks.
    pub target: String,
    /// The part of the target that the link walks; none if no table of the layout shows that
    /// part.
    pub narrowing: Option<Narrowing>,
}
