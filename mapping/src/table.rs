//! What a table is: an iterator target, the program that walks it, where it is
//! shown and to whom. The tables themselves are in `layout.rs`.

/// A kind of BPF iterator: what the kernel walks (`bpf_iter_reg_target()` in its source).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Target {
    /// The kernel's name for it: what follows `iter/` in a program's section.
    pub name: &'static str,
    /// The release that brought it, for messages alone: presence is probed.
    pub since: &'static str,
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
    /// `bpf/map/<id>`: what that map holds.
    Map,
    /// `cgroup` and every directory below: the table as that cgroup's.
    Cgroup,
    /// `kernel`.
    Kernel,
    /// `summary`.
    Summary,
}

/// What a walk must be told before it can begin.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Need {
    /// Nothing; it may be narrowed to a process where its target can.
    Nothing,
    /// A map of one of these types, by the names that the table of maps shows.
    Map(&'static [&'static str]),
    /// A cgroup, from which it goes this way.
    Cgroup(Order),
}

/// Where a walk over cgroups goes (include/uapi/linux/bpf.h, enum bpf_cgroup_iter_order).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Order {
    /// The cgroup alone.
    Itself,
    /// It and all below, each before those below it.
    Descendants,
    /// It and all above, up to the root.
    Ancestors,
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
    /// What the walk must be told.
    pub need: Need,
    /// The directories it is in.
    pub places: &'static [Place],
    /// Whose view it shows.
    pub scope: Scope,
    /// Who may read it.
    pub audience: Audience,
}
