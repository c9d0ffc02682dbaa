//! The pure part of iterfs: names, rows, callers, and the contract between the filesystem
//! and the kernel. No FUSE, no BPF, no system call.
//!
//! - [`layout`] lists the tables, and [`node`] is the tree that shows them. [`table`] has a
//!   table's properties, [`path`] its paths, [`mod@format`] its file formats, and [`narrowing`]
//!   the part of a table that a file shows.
//! - [`query`] is what a name asks of a table: conditions, columns, top and more. [`asking`]
//!   takes such a name apart.
//! - [`row`] describes a table's records and reads values out of them.
//! - [`caller`] holds the facts about the calling thread.
//! - [`contract`] has the traits through which the filesystem reaches tables, and [`error`]
//!   their errors.
//!
//! `iterfs-bpf` implements the contract for the running kernel. `iterfs` shows the tables as
//! files, and depends only on the contract.

pub mod asking;
pub mod caller;
pub mod contract;
pub mod control;
pub mod error;
pub mod format;
pub mod layout;
pub mod narrowing;
pub mod node;
pub mod number;
pub mod path;
pub mod query;
pub mod row;
pub mod table;

pub use asking::{Asking, AskingName, Base};
pub use caller::{Caller, Tenant, User, View};
pub use control::Control;
pub use error::{Error, Result};
pub use format::Format;
pub use layout::{TABLES, TableId};
pub use narrowing::{Contents, Instance, Narrowing, Subject};
pub use node::{Directory, File, Node, UserFile};
pub use query::{Query, Question};
pub use row::Schema;
pub use table::{Audience, Need, Order, Place, Scope, Table, Target};
