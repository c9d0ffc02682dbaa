//! The part of its target that a walk visits: everything, or less.

use crate::layout::TableId;
use crate::table::Order;

/// The part of its target that a walk visits.
///
/// `C` names a cgroup: the id of its kernfs node (0 is the root) or, in a command that is
/// parsed but not resolved yet, its path.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Narrowing<C = u64> {
    /// Everything that the target walks.
    #[default]
    Nothing,
    /// One process. In a path, the caller's pid namespace numbers it; when a program is linked,
    /// the daemon's does.
    Process(u32),
    /// One thread, numbered as in the daemon's pid namespace.
    Thread(u32),
    /// The objects of the net namespace with this inode number.
    NetNamespace(u32),
    /// The entries of the BPF map with this id.
    Map(u32),
    /// The cgroups that a walk from this one visits in this order.
    Cgroup(C, Order),
    /// This cgroup and all below it, with a separate walk for each.
    EachCgroup(C),
}

impl<C> Narrowing<C> {
    /// Converts the name of the cgroup with `name`, which may fail.
    ///
    /// # Errors The errors of `name`.
    pub fn try_map_cgroup<D, E>(
        self,
        name: impl FnOnce(C) -> Result<D, E>,
    ) -> Result<Narrowing<D>, E> {
        Ok(match self {
            Narrowing::Nothing => Narrowing::Nothing,
            Narrowing::Process(pid) => Narrowing::Process(pid),
            Narrowing::Thread(tid) => Narrowing::Thread(tid),
            Narrowing::NetNamespace(inode) => Narrowing::NetNamespace(inode),
            Narrowing::Map(id) => Narrowing::Map(id),
            Narrowing::Cgroup(cgroup, order) => Narrowing::Cgroup(name(cgroup)?, order),
            Narrowing::EachCgroup(cgroup) => Narrowing::EachCgroup(name(cgroup)?),
        })
    }
}

/// The contents of a file: a table of the layout, whole or narrowed, or one in `user`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Contents {
    /// A table of the layout, or a part of one.
    Table(Instance),
    /// A table in `user`, by a number that is never reused. Its narrowing was chosen when it
    /// was loaded.
    User(u32),
}

impl Contents {
    /// The table.
    pub const fn subject(self) -> Subject {
        match self {
            Contents::Table(instance) => Subject::Table(instance.table),
            Contents::User(number) => Subject::User(number),
        }
    }
}

/// A table, whichever program fills it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// A table of the layout.
    Table(TableId),
    /// A table in `user`, by a number that is never reused.
    User(u32),
}

/// A table of the layout and the part of it that one open shows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Instance {
    /// The table.
    pub table: TableId,
    /// The part.
    pub narrowing: Narrowing,
}

impl Instance {
    /// The whole of a table.
    pub const fn whole(table: TableId) -> Instance {
        Instance {
            table,
            narrowing: Narrowing::Nothing,
        }
    }
}
