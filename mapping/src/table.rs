//! What a table is: an iterator target, the program that walks it, and where it is shown.

use crate::layout::TABLES;

/// A kind of BPF iterator: what the kernel walks (`bpf_iter_reg_target()` in its source).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Target {
    /// The kernel's name for it: what follows `iter/` in a program's section.
    pub name: &'static str,
    /// The release that brought it, for messages alone: presence is probed.
    pub since: &'static str,
}

impl Target {
    /// Every target that a table walks, each once, in the order of the layout.
    pub fn all() -> impl Iterator<Item = Target> {
        TABLES.iter().enumerate().filter_map(|(index, table)| {
            let first = TABLES.iter().position(|other| other.target == table.target);
            (first == Some(index)).then_some(table.target)
        })
    }
}

/// Whose view of the system a table shows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// The tasks of the reader's pid namespace, under its numbers.
    PidNamespace,
    /// The reader's net namespace.
    NetNamespace,
    /// The tasks of the reader's pid namespace, and of what they hold what
    /// belongs to its net namespace; all of it where one process is asked for.
    PidAndNetNamespace,
    /// The whole host; shown only to readers in the daemon's own pid namespace.
    Host,
}

/// A kind of directory that tables are shown in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Place {
    /// The top of the mount.
    Root,
    /// `pid/<n>`: the table's rows for that process alone.
    Process,
    /// `net`.
    Net,
    /// `bpf`.
    Bpf,
    /// `kernel`.
    Kernel,
}

/// Who may read a table where nothing else is said.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Audience {
    /// Those whom the mount's owner, group and mode let in.
    Readers,
    /// Root alone.
    Root,
}

/// One row of the layout.
#[derive(Debug)]
pub struct Table {
    /// The file's name, without the format's suffix.
    pub name: &'static str,
    /// The program: `bpf/programs/<object>.bpf.c`.
    pub object: &'static str,
    /// What the kernel walks for it.
    pub target: Target,
    /// The directories it is in.
    pub places: &'static [Place],
    /// Whose view it shows.
    pub scope: Scope,
    /// Who may read it.
    pub audience: Audience,
}

/// A table's row number in [`TABLES`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TableId(u16);

impl TableId {
    /// Every table.
    pub fn all() -> impl Iterator<Item = TableId> {
        (0..TABLES.len() as u16).map(TableId)
    }

    /// The table numbered `index`, if there is one.
    pub fn new(index: u16) -> Option<TableId> {
        (usize::from(index) < TABLES.len()).then_some(TableId(index))
    }

    /// The number, always below the number of tables.
    pub fn index(self) -> u16 {
        self.0
    }

    /// The row.
    pub fn table(self) -> &'static Table {
        &TABLES[usize::from(self.0)]
    }

    /// The table called `name` in directories of this kind.
    pub fn find(place: Place, name: &str) -> Option<TableId> {
        Self::all().find(|id| {
            let table = id.table();
            table.name == name && table.places.contains(&place)
        })
    }
}

/// What narrows a pass to a part of its table.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Parameter {
    /// Nothing: the whole table.
    #[default]
    None,
    /// One process, numbered as the reader's pid namespace does.
    Process(u32),
}

/// What one open shows: a table, whole or narrowed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Instance {
    /// Which table.
    pub table: TableId,
    /// Which part of it.
    pub parameter: Parameter,
}
