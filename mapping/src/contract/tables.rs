//! Which tables there are, and passes over them.

use super::Pass;
use crate::caller::View;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::format::Format;
use crate::layout::TableId;
use crate::narrowing::Contents;
use crate::table::Scope;

/// The tables of a kernel.
pub trait Tables: Send + Sync {
    /// Whether the kernel has the target that this table walks.
    fn present(&self, table: TableId) -> bool;

    /// How a table is shown now: as the layout says, unless an update put another program
    /// in its place.
    fn form(&self, table: TableId) -> Form;

    /// The tables in `user`, by name.
    fn user_tables(&self) -> Vec<UserTable>;

    /// Starts a pass over a table as a reader sees it. Loads and links the table's program
    /// if this is its first pass.
    ///
    /// # Errors
    /// Those of loading the program, linking it and making the iterator;
    /// [`Error::NoUserTable`] for a user table that was unloaded.
    fn open(&self, contents: Contents, view: &View) -> Result<Pass>;
}

/// A table in `user`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserTable {
    /// Its name.
    pub name: String,
    /// Its number, which no other table ever has.
    pub number: u32,
    /// How it is shown.
    pub form: Form,
}

/// How a program's rows are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Form {
    /// The formats that they are shown in: all of them, or text alone if the program
    /// prints text itself.
    pub formats: &'static [Format],
    /// The namespaces that decide which rows a reader sees.
    pub scope: Scope,
}

impl Form {
    /// The form of a table that its own program fills.
    pub const fn of_layout(scope: Scope) -> Form {
        Form {
            formats: &Format::ALL,
            scope,
        }
    }
}
