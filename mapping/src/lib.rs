//! Which path shows which BPF iterator: names in, tables out.
//!
//! Pure: no FUSE, no BPF, no system call. [`layout`] is the table of tables;
//! [`node`] walks names through it; what the names stand for is in [`table`]
//! and [`format`]. The crate `iterfs-bpf` opens what is found here, the crate
//! `iterfs` shows it as files.

pub mod format;
pub mod instance;
pub mod layout;
pub mod node;
pub mod number;
pub mod table;

pub use format::Format;
pub use instance::{Instance, Parameter, Subject};
pub use layout::{TABLES, TableId};
pub use node::{Control, Directory, File, Node, UserFile};
pub use table::{Audience, Need, Order, Place, Scope, Table, Target};
