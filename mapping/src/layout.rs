//! The layout: one row a table. To add an iterator, add its row here.

use crate::table::{
    Place::{Bpf, Net, Process, Root},
    Scope, Table, Target,
};

const TASK: Target = target("task", "5.8");
const TASK_FILE: Target = target("task_file", "5.8");
const NETLINK: Target = target("netlink", "5.8");
const IPV6_ROUTE: Target = target("ipv6_route", "5.8");
const BPF_MAP: Target = target("bpf_map", "5.8");
const BPF_LINK: Target = target("bpf_link", "5.18");

/// Every table there is, on a kernel that has all targets.
#[rustfmt::skip]
pub static TABLES: &[Table] = &[
    //  name          program       target      in                 whose view
    row("tasks",      "tasks",      TASK,       &[Root, Process],  Scope::PidNamespace),
    row("processes",  "processes",  TASK,       &[Root],           Scope::PidNamespace),
    row("files",      "files",      TASK_FILE,  &[Root, Process],  Scope::PidNamespace),
    row("netlink",    "netlink",    NETLINK,    &[Net],            Scope::NetNamespace),
    row("ipv6_route", "ipv6_route", IPV6_ROUTE, &[Net],            Scope::NetNamespace),
    row("maps",       "maps",       BPF_MAP,    &[Bpf],            Scope::Host),
    row("links",      "links",      BPF_LINK,   &[Bpf],            Scope::Host),
];

const fn target(name: &'static str, since: &'static str) -> Target {
    Target { name, since }
}

const fn row(
    name: &'static str,
    object: &'static str,
    target: Target,
    places: &'static [crate::Place],
    scope: Scope,
) -> Table {
    Table {
        name,
        object,
        target,
        places,
        scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Place, TableId};
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
        let targets: Vec<_> = Target::all().collect();
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
