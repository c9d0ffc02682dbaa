//! What one open shows: a table, whole or narrowed.

use crate::layout::TableId;
use crate::table::Order;

/// What a file shows: a table of the layout, or one that was brought.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// A table of the layout.
    Table(TableId),
    /// A table in `user`, by a number that is never used again.
    User(u32),
}

/// What narrows a pass to a part of its table.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Parameter {
    /// Nothing: the whole table.
    #[default]
    None,
    /// One process, numbered as the reader's pid namespace does.
    Process(u32),
    /// The net namespace of an inode number.
    NetNamespace(u32),
    /// One map, by its id.
    Map(u32),
    /// From one cgroup, by the id of its kernfs node; 0 is the root.
    Cgroup(u64, Order),
}

/// A table, whole or narrowed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Instance {
    /// Which table.
    pub table: TableId,
    /// Which part of it.
    pub parameter: Parameter,
}
