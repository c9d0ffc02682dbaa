//! The properties of a table: its iterator target, the program that walks it, where it is shown
//! and to whom. `layout.rs` lists the tables.

/// A BPF iterator target: a kind of object that the kernel can walk (`bpf_iter_reg_target()`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Target {
    /// The kernel's name for the target, which follows `iter/` in a program's section name.
    pub name: &'static str,
    /// The first kernel release that has it. Only messages use this; presence is probed.
    pub since: &'static str,
}

/// The namespaces whose view of the system a table shows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// The tasks of the reader's pid namespace, numbered as there.
    PidNamespace,
    /// The reader's net namespace.
    NetNamespace,
    /// The tasks of the reader's pid namespace, and those of their objects that belong to its
    /// net namespace. For a single process, all of its objects.
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
    /// `bpf/map/<id>`: the contents of that map.
    Map,
    /// `cgroup` and every directory below it: the table of that cgroup.
    Cgroup,
    /// `kernel`.
    Kernel,
    /// `summary`.
    Summary,
}

/// The parameter that a walk needs before it can begin.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Need {
    /// None. The walk may be narrowed to a process if the target supports that.
    Nothing,
    /// A map of one of these types, by the names that the table of maps shows.
    Map(&'static [&'static str]),
    /// A cgroup to start from; the walk goes in this order.
    Cgroup(Order),
}

/// The order of a walk over cgroups (include/uapi/linux/bpf.h, enum bpf_cgroup_iter_order).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Order {
    /// Only the cgroup itself.
    Itself,
    /// The cgroup and all its descendants, each parent before its children.
    Descendants,
    /// The cgroup and all its ancestors, up to the root.
    Ancestors,
}

/// The users who may read a table by default.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Audience {
    /// Users to whom the mount's owner, group and mode give access.
    Readers,
    /// Only root.
    Root,
}

/// One row of the layout.
#[derive(Debug)]
pub struct Table {
    /// The file's name, without the format's suffix.
    pub name: &'static str,
    /// The program: `bpf/programs/<object>.bpf.c`.
    pub object: &'static str,
    /// The target that the program walks.
    pub target: Target,
    /// The parameter that the walk needs.
    pub need: Need,
    /// The directories that show the table.
    pub places: &'static [Place],
    /// The namespaces whose view of the system the table shows.
    pub scope: Scope,
    /// The users who may read the table.
    pub audience: Audience,
}
