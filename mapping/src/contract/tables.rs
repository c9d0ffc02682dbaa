//! The tables of a kernel, and passes over them.

use super::Pass;
use crate::caller::View;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::format::Format;
use crate::layout::TableId;
use crate::narrowing::Contents;
use crate::query::Query;
use crate::row::Schema;
use crate::table::Scope;
use std::sync::Arc;

/// The tables of a kernel.
pub trait Tables: Send + Sync {
    /// Whether the kernel has the target of this table.
    fn present(&self, table: TableId) -> bool;

    /// The current form of a table: that of the layout, unless an update replaced the program.
    fn form(&self, table: TableId) -> Form;

    /// The tables in `user`, sorted by name.
    fn user_tables(&self) -> Vec<UserTable>;

    /// The shape of a table's rows as a reader sees them, with all columns, those on request
    /// included; none if the program prints text itself. Loads no program.
    ///
    /// # Errors
    /// [`Error::NoUserTable`], and for a map's contents those of examining the map.
    fn schema(&self, contents: Contents, view: &View) -> Result<Option<Arc<Schema>>>;

    /// Starts a pass over a table as a reader sees it, which answers a query if there is one.
    /// The first pass also loads and links the table's program.
    ///
    /// # Errors
    /// [`Error::Question`] and [`Error::PrintsText`] for a query that does not fit the table.
    /// Those of loading the program, linking it and making the iterator;
    /// [`Error::NoUserTable`] for a user table that was unloaded.
    fn open(&self, contents: Contents, query: Option<&Query>, view: &View) -> Result<Pass>;
}

/// A table in `user`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserTable {
    /// Its name.
    pub name: String,
    /// Its number, which is never reused.
    pub number: u32,
    /// The form in which it is shown.
    pub form: Form,
}

/// The form in which a program's rows are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Form {
    /// The available formats: all of them, or only text if the program prints text itself.
    pub formats: &'static [Format],
    /// The namespaces that decide which rows a reader sees.
    pub scope: Scope,
}

impl Form {
    /// The form of a table with its built-in program.
    pub const fn of_layout(scope: Scope) -> Form {
        Form {
            formats: &Format::ALL,
            scope,
        }
    }
}
