//! The layout: one row per table. To add an iterator, add its row here.

use crate::table::{
    Audience::{self, Readers, Root as RootAlone},
    Need,
    Order::{self, Ancestors, Descendants, Itself},
    Place::{self, Bpf, Cgroup, Kernel, Map, Net, Process, Root},
    Scope::{self, Host, NetNamespace, PidAndNetNamespace as PidAndNet, PidNamespace},
    Table, Target,
};

const TASK: Target = target("task", "5.8");
const TASK_FILE: Target = target("task_file", "5.8");
const TASK_VMA: Target = target("task_vma", "5.12");
const TCP: Target = target("tcp", "5.9");
const UDP: Target = target("udp", "5.9");
const UNIX: Target = target("unix", "5.15");
const NETLINK: Target = target("netlink", "5.8");
const IPV6_ROUTE: Target = target("ipv6_route", "5.8");
const BPF_MAP: Target = target("bpf_map", "5.8");
const BPF_PROG: Target = target("bpf_prog", "5.9");
const BPF_LINK: Target = target("bpf_link", "5.18");
const CGROUP: Target = target("cgroup", "6.1");
const BPF_MAP_ELEM: Target = target("bpf_map_elem", "5.9");
const BPF_SK_STORAGE_MAP: Target = target("bpf_sk_storage_map", "5.9");
const SOCKMAP: Target = target("sockmap", "5.10");
const KSYM: Target = target("ksym", "6.0");
const KMEM_CACHE: Target = target("kmem_cache", "6.13");
const DMABUF: Target = target("dmabuf", "6.16");

/// All tables, on a kernel that has every target.
#[rustfmt::skip]
pub static TABLES: &[Table] = &[
    // name          program       target      directories       scope         audience
    row("tasks",      "tasks",      TASK,       &[Root, Process], PidNamespace, Readers),
    row("processes",  "processes",  TASK,       &[Root],          PidNamespace, Readers),
    row("files",      "files",      TASK_FILE,  &[Root, Process], PidNamespace, Readers),
    row("vmas",       "vmas",       TASK_VMA,   &[Root, Process], PidNamespace, Readers),
    row("sockets",    "sockets",    TASK_FILE,  &[Net, Process],  PidAndNet,    Readers),
    row("tcp",        "tcp",        TCP,        &[Net],           NetNamespace, Readers),
    row("udp",        "udp",        UDP,        &[Net],           NetNamespace, Readers),
    row("unix",       "unix",       UNIX,       &[Net],           NetNamespace, Readers),
    row("netlink",    "netlink",    NETLINK,    &[Net],           NetNamespace, Readers),
    row("ipv6_route", "ipv6_route", IPV6_ROUTE, &[Net],           NetNamespace, Readers),
    row("maps",       "maps",       BPF_MAP,    &[Bpf],           Host,         Readers),
    row("progs",      "progs",      BPF_PROG,   &[Bpf],           Host,         Readers),
    row("links",      "links",      BPF_LINK,   &[Bpf],           Host,         Readers),
    row("cgroup.self",        "cgroups", CGROUP, &[Cgroup],   Host,         Readers).of_cgroup(Itself),
    row("cgroup.descendants", "cgroups", CGROUP, &[Cgroup],   Host,         Readers).of_cgroup(Descendants),
    row("cgroup.ancestors",   "cgroups", CGROUP, &[Cgroup],   Host,         Readers).of_cgroup(Ancestors),
    row("elements",   "elements",   BPF_MAP_ELEM, &[Map],         Host,         RootAlone)
        .of_maps(&["hash", "array", "percpu_hash", "percpu_array", "lru_hash", "lru_percpu_hash"]),
    row("sk_storage", "sk_storage", BPF_SK_STORAGE_MAP, &[Map],   Host,         RootAlone)
        .of_maps(&["sk_storage"]),
    row("sockmap",    "sockmap",    SOCKMAP,    &[Map],           Host,         RootAlone)
        .of_maps(&["sockmap", "sockhash"]),
    row("ksyms",      "ksyms",      KSYM,       &[Kernel],        Host,         RootAlone),
    row("slabs",      "slabs",      KMEM_CACHE, &[Kernel],        Host,         Readers),
    row("dmabufs",    "dmabufs",    DMABUF,     &[Kernel],        Host,         Readers),
    // name and program      target     scope
    summary("fds_by_process",     TASK_FILE, PidNamespace),
    summary("fds_by_type",        TASK_FILE, PidNamespace),
    summary("sockets_by_process", TASK_FILE, PidNamespace),
    summary("memory_by_process",  TASK_VMA,  PidNamespace),
    summary("tasks_by_state",     TASK,      PidNamespace),
    summary("tcp_by_state",       TCP,       NetNamespace),
    summary("tcp_by_remote",      TCP,       NetNamespace),
];

const fn target(name: &'static str, since: &'static str) -> Target {
    Target { name, since }
}

const fn row(
    name: &'static str,
    object: &'static str,
    target: Target,
    places: &'static [Place],
    scope: Scope,
    audience: Audience,
) -> Table {
    Table {
        name,
        object,
        target,
        need: Need::Nothing,
        places,
        scope,
        audience,
    }
}

impl Table {
    /// The same table, with a walk that starts at a cgroup.
    const fn of_cgroup(mut self, order: Order) -> Table {
        self.need = Need::Cgroup(order);
        self
    }

    /// The same table, with a walk over one map of these types.
    const fn of_maps(mut self, types: &'static [&'static str]) -> Table {
        self.need = Need::Map(types);
        self
    }
}

/// A table that its program counts inside the kernel.
const fn summary(name: &'static str, target: Target, scope: Scope) -> Table {
    row(name, name, target, &[Place::Summary], scope, Readers)
}

/// The index of a table in [`TABLES`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TableId(u16);

impl TableId {
    /// Every table.
    pub fn all() -> impl Iterator<Item = TableId> {
        (0..TABLES.len() as u16).map(TableId)
    }

    /// The table with this index, if there is one.
    pub fn new(index: u16) -> Option<TableId> {
        (usize::from(index) < TABLES.len()).then_some(TableId(index))
    }

    /// The index, always less than the number of tables.
    pub fn index(self) -> u16 {
        self.0
    }

    /// The table's row in the layout.
    pub fn table(self) -> &'static Table {
        &TABLES[usize::from(self.0)]
    }

    /// The table with this name in directories of this kind.
    pub fn find(place: Place, name: &str) -> Option<TableId> {
        Self::all().find(|id| {
            let table = id.table();
            table.name == name && table.places.contains(&place)
        })
    }
}

/// The targets of all tables, each once, in the order of the layout.
pub fn targets() -> impl Iterator<Item = Target> {
    TABLES.iter().enumerate().filter_map(|(index, table)| {
        let first = TABLES.iter().position(|other| other.target == table.target);
        (first == Some(index)).then_some(table.target)
    })
}

/// The scope of a target: that of the first table that walks it.
pub fn scope_of(target: &str) -> Option<Scope> {
    let mut tables = TABLES.iter();
    let found = tables.find(|table| table.target.name == target);
    found.map(|table| table.scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use std::collections::HashSet;

    #[test]
    fn no_two_files_of_a_directory_share_a_name() {
        let mut seen = HashSet::<(Place, String)>::new();
        for table in TABLES {
            for &place in table.places {
                for format in Format::ALL {
                    let name = format!("{}{}", table.name, format.suffix());
                    assert!(
                        seen.insert((place, name.clone())),
                        "{place:?} has {name} twice"
                    );
                }
            }
        }
    }

    #[test]
    fn targets_are_listed_once() {
        let targets: Vec<_> = targets().collect();
        let names: HashSet<_> = targets.iter().map(|target| target.name).collect();
        assert_eq!(names.len(), targets.len());
        assert!(TABLES.iter().all(|table| targets.contains(&table.target)));
    }

    #[test]
    fn tables_are_found_where_they_are() {
        for id in TableId::all() {
            for &place in id.table().places {
                assert_eq!(TableId::find(place, id.table().name), Some(id));
            }
        }
        assert_eq!(TableId::find(Place::Process, "processes"), None);
        assert_eq!(TableId::find(Place::Root, "netlink"), None);
    }
}
