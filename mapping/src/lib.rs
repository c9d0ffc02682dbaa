//! The pure part of iterfs: names, rows, callers, and the contract between the filesystem
//! and the kernel. No FUSE, no BPF, no system call.
//!
//! - [`layout`] is the table of tables, and [`node`] the tree that shows them; a table's
//!   properties are in [`table`], its paths in [`path`], its file formats in [`mod@format`], and the part of a table
//!   that a file shows in [`narrowing`].
//! - [`row`] says what a table's records are and how a value is read out of one.
//! - [`caller`] has the facts about whoever asks.
//! - [`contract`] has the traits by which the filesystem reaches tables, and [`error`] what
//!   they fail with.
//!
//! `iterfs-bpf` implements the contract for the running kernel. `iterfs` shows the tables as
//! files, and knows the contract alone.

pub mod caller;
pub mod contract;
pub mod error;
pub mod format;
pub mod layout;
pub mod narrowing;
pub mod node;
pub mod number;
pub mod path;
pub mod row;
pub mod table;

pub use caller::{Caller, Tenant, User, View};
pub use error::{Error, Result};
pub use format::Format;
pub use layout::{TABLES, TableId};
pub use narrowing::{Contents, Instance, Narrowing, Subject};
pub use node::{Control, Directory, File, Node, UserFile};
pub use row::Schema;
pub use table::{Audience, Need, Order, Place, Scope, Table, Target};
