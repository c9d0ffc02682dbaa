//! What the control file changes: the programs and links behind the tables.

use crate::error::Result;
use crate::object_file::ObjectFile;
use crate::schema::Schema;
use crate::tables::Tables;
use iterfs_mapping::{Instance, Order, Parameter, Subject, TableId};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// The programs of a kernel's tables.
pub trait Programs: Tables {
    /// Makes the table `user/<name>` of a program that was brought.
    ///
    /// # Errors
    /// Those of reading, loading and linking it, after which nothing has changed.
    fn load(&self, name: &str, object: &ObjectFile, narrowing: &Narrowing) -> Result<()>;

    /// Takes away what [`Programs::load`] made. Readers in the middle of a pass
    /// finish it.
    ///
    /// # Errors
    /// If there is no such table.
    fn unload(&self, name: &str) -> Result<()>;

    /// Puts another program into a table's link, and into its pinned ones, each with
    /// the part that it shows (of a user's table none is needed). Readers in the middle
    /// of a pass finish on the old program. Of a table without a link, such as that of a
    /// map's elements, the program is only tried on `part`.
    ///
    /// # Errors
    /// Those of reading, loading and attaching it; [`crate::Error::Pinned`] of a
    /// program whose records a pin cannot show. The old one stays.
    fn update(
        &self,
        table: Subject,
        part: Parameter,
        object: &ObjectFile,
        pinned: &[(Option<Instance>, OwnedFd)],
    ) -> Result<()>;

    /// Puts a table's own program back, and its text form into the pinned links,
    /// each with the part that it shows.
    ///
    /// # Errors
    /// As [`Programs::update`], and as [`Programs::link_as_text`].
    fn restore(
        &self,
        table: TableId,
        part: Parameter,
        pinned: &[(Instance, OwnedFd)],
    ) -> Result<()>;

    /// A link whose iterators print a table as text, to be pinned: of the program
    /// that stands in its place, if that was brought and prints.
    ///
    /// # Errors
    /// Those of loading and linking; [`crate::Error::NoText`] of a program that
    /// cannot print.
    fn link_as_text(&self, instance: Instance) -> Result<OwnedFd>;

    /// The link of a table that was brought, to be pinned.
    ///
    /// # Errors
    /// As [`Programs::link_as_text`].
    fn link_of_user(&self, number: u32) -> Result<OwnedFd>;

    /// What is loaded now.
    fn loaded(&self) -> Vec<Loaded>;
}

/// What a walk is narrowed to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Narrowing {
    /// Nothing.
    #[default]
    Nothing,
    /// A process, as the initial pid namespace numbers it.
    Process(u32),
    /// A thread, likewise.
    Thread(u32),
    /// What the map of this id holds.
    Map(u32),
    /// From the cgroup that these names lead to, this way.
    Cgroup(Vec<OsString>, Order),
    /// The same cgroup and all below it, with a walk for each.
    EachCgroup(Vec<OsString>),
}

/// A program that is loaded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// For which table.
    pub table: Subject,
    /// Where that is a table in `user`: its name.
    pub name: Option<String>,
    /// What it walks.
    pub target: String,
    /// The file it was brought in; none of a program of ours.
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
