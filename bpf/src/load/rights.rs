//! The kernel fields that the programs need to decide who may see what.
//!
//! A program that cannot decide shows nothing (`programs/lib/access.h`). Users could mistake
//! that for an empty table, so the daemon looks for the same fields and reports those that are
//! missing. The tests in `damage` check that both agree.

use libbpf_rs::btf::types::{Composite, Struct};
use libbpf_rs::btf::{Btf, BtfType};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;

/// A decision that the programs cannot make on this kernel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Undecided {
    /// The field that the kernel lacks, as `struct.field`.
    pub field: String,
    /// The rows that iterfs hides as a result.
    pub hidden: &'static str,
}

impl fmt::Display for Undecided {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "this kernel has no {}: {}", self.field, self.hidden)
    }
}

/// A struct and a path of members. The last member is not a struct.
type Field = (&'static str, &'static [&'static str]);

/// The rows that are hidden if a decision cannot be made, and the alternative ways to make it.
struct Decision {
    hidden: &'static str,
    /// If no way is available, messages name the first missing field of the first way.
    ways: &'static [Way],
}

/// A set of fields that are all required.
struct Way {
    /// If the kernel has this struct, this way no longer works.
    unless: Option<&'static str>,
    fields: &'static [Field],
}

const fn all(fields: &'static [Field]) -> Way {
    Way {
        unless: None,
        fields,
    }
}

const fn unless(newer: &'static str, fields: &'static [Field]) -> Way {
    Way {
        unless: Some(newer),
        fields,
    }
}

/// Since Linux 7.2, this struct holds a task's dumpable state.
const EXEC_STATE: &str = "task_exec_state";

pub(crate) const OWNER: &str = "others=own shows no processes";
pub(crate) const LOOK: &str =
    "others=own shows no files, mappings, sockets and programs of processes";
pub(crate) const MAPPINGS: &str = "others=own shows no mappings of processes";
pub(crate) const PIDS: &str = "readers in other pid namespaces see no processes";
pub(crate) const NETS: &str = "net/sockets and pid/<n>/sockets are empty";

const DECISIONS: &[Decision] = &[
    Decision {
        hidden: OWNER,
        ways: &[all(&[
            ("task_struct", &["real_cred"]),
            ("cred", &["uid", "val"]),
        ])],
    },
    Decision {
        hidden: LOOK,
        ways: &[all(&[
            ("task_struct", &["mm"]),
            ("cred", &["euid", "val"]),
            ("cred", &["suid", "val"]),
            ("cred", &["gid", "val"]),
            ("cred", &["egid", "val"]),
            ("cred", &["sgid", "val"]),
            ("cred", &["user_ns"]),
            ("user_namespace", &["ns", "inum"]),
            ("user_namespace", &["parent"]),
            ("user_namespace", &["owner", "val"]),
        ])],
    },
    Decision {
        hidden: LOOK,
        ways: &[
            all(&[("cred", &["cap_permitted", "val"])]),
            all(&[("cred", &["cap_permitted", "cap"])]),
        ],
    },
    Decision {
        hidden: LOOK,
        ways: &[
            all(&[
                (EXEC_STATE, &["dumpable"]),
                ("task_struct", &["exec_state"]),
            ]),
            unless(EXEC_STATE, &[("mm_struct", &["flags", "__mm_flags"])]),
            unless(EXEC_STATE, &[("mm_struct", &["flags"])]),
        ],
    },
    Decision {
        hidden: MAPPINGS,
        ways: &[all(&[("vm_area_struct", &["vm_mm"])])],
    },
    Decision {
        hidden: PIDS,
        ways: &[all(&[
            ("task_struct", &["group_leader"]),
            ("task_struct", &["thread_pid"]),
            ("pid", &["level"]),
            ("pid", &["numbers"]),
            ("upid", &["nr"]),
            ("upid", &["ns"]),
            ("pid_namespace", &["ns", "inum"]),
        ])],
    },
    Decision {
        hidden: NETS,
        ways: &[all(&[
            ("sock_common", &["skc_net", "net"]),
            ("net", &["ns", "inum"]),
        ])],
    },
];

/// The decisions that cannot be made on a kernel with these types.
pub(crate) fn undecided(btf: &Btf<'_>) -> Vec<Undecided> {
    let ways = DECISIONS.iter().flat_map(|decision| decision.ways);
    let fields = ways.flat_map(|way| way.fields);
    let names: HashSet<_> = fields.map(|(root, _)| OsStr::new(*root)).collect();
    let structs: Vec<_> = btf
        .type_by_kind::<Struct<'_>>()
        .filter(|found| found.name().is_some_and(|name| names.contains(name)))
        .map(Composite::from)
        .collect();
    let has = |(root, path): &Field| {
        let called = |found: &&Composite<'_>| found.name() == Some(OsStr::new(root));
        let mut called = structs.iter().filter(called);
        called.any(|found| leads(btf, found, path))
    };
    // The first field that a way lacks. For a way that no longer works, this is its first
    // field.
    let lacks = |way: &'static Way| match way.unless {
        Some(newer) if has(&(newer, &[])) => way.fields.first(),
        _ => way.fields.iter().find(|field| !has(field)),
    };
    let decisions = DECISIONS.iter().filter_map(|decision| {
        let missing: Option<Vec<_>> = decision.ways.iter().map(lacks).collect();
        let (root, path) = missing?.first().copied()?;
        Some(Undecided {
            field: format!("{root}.{}", path.join(".")),
            hidden: decision.hidden,
        })
    });
    decisions.collect()
}

/// Whether a path of members, which may pass through unnamed members, exists from a struct.
fn leads(btf: &Btf<'_>, from: &Composite<'_>, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    from.iter().any(|member| {
        let inner = || {
            let found = btf.type_by_id::<BtfType<'_>>(member.ty)?;
            Composite::try_from(found.skip_mods_and_typedefs()).ok()
        };
        match member.name {
            Some(name) if !name.is_empty() => {
                name == OsStr::new(first)
                    && match (rest, inner()) {
                        ([], inner) => inner.is_none(),
                        (_, None) => false,
                        (rest, Some(inner)) => leads(btf, &inner, rest),
                    }
            }
            _ => inner().is_some_and(|inner| leads(btf, &inner, path)),
        }
    })
}
