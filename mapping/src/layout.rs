//! The layout: one row a table. To add an iterator, add its row here.

use crate::table::{
    Place::{Bpf, Net, Process, Root},
    Scope, Table, Target,
};

/// Every table there is, on a kernel that has all targets.
pub static TABLES: &[Table] = &[
    row(
        "tasks",
        "tasks",
        Target::Task,
        &[Root, Process],
        Scope::PidNamespace,
    ),
    row(
        "processes",
        "processes",
        Target::Task,
        &[Root],
        Scope::PidNamespace,
    ),
    row(
        "files",
        "files",
        Target::TaskFile,
        &[Root, Process],
        Scope::PidNamespace,
    ),
    row(
        "netlink",
        "netlink",
        Target::Netlink,
        &[Net],
        Scope::NetNamespace,
    ),
    row(
        "ipv6_route",
        "ipv6_route",
        Target::Ipv6Route,
        &[Net],
        Scope::NetNamespace,
    ),
    row("maps", "maps", Target::BpfMap, &[Bpf], Scope::Host),
];

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
    fn every_target_is_shown() {
        for target in Target::ALL {
            assert!(
                TABLES.iter().any(|table| table.target == target),
                "{target:?}"
            );
        }
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
