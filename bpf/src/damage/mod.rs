//! Loads every program against a copy of the running kernel's BTF from which the fields that
//! the program uses are removed one by one. A kernel that renames or drops a field may cost a
//! column, but no table.
//!
//! The relocations in the object itself list the fields, so a new field is tested
//! automatically.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod pass;
mod raw_btf;
mod relocations;

use crate::load::btf;
use crate::load::loader::{self, Loaded, Options, SharedMaps};
use crate::load::objects;
use crate::load::probe;
use crate::load::rights;
use crate::load::text::{self, TextReaders};
use crate::pass::readers::Settings;
use iterfs_mapping::row::{Kind, Schema, Unit, Width};
use iterfs_mapping::{Scope, TABLES, Table};
use libbpf_rs::btf::Btf;
use libbpf_rs::{ObjectBuilder, OpenObject};
use pass::{People, Rows};
use raw_btf::RawBtf;
use relocations::Access;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};
use tempfile::NamedTempFile;

/// Structs without whose fields no walk is possible: the kernel passes a program one of the
/// first kind, which leads to the object and to the second, and that leads to the third, into
/// which rows are written.
const ESSENTIAL: [&str; 3] = ["bpf_iter__", "bpf_iter_meta", "seq_file"];

/// Fields without which a table loads but has no rows, with the reason.
const IDENTITIES: [(&str, &str); 3] = [
    // A cgroup is identified only by its id, so a walk could not continue after it.
    ("cgroups", "cgroup.kn"),
    ("cgroups", "kernfs_node.id"),
    // The table consists of the files that are sockets.
    ("sockets", "socket.sk"),
];

fn is_essential(access: &Access) -> bool {
    ESSENTIAL.iter().any(|name| access.root.starts_with(name))
}

/// An object, and the reduced BTF for it.
struct Subject {
    table: &'static Table,
    name: &'static str,
    elf: &'static [u8],
    schema: Arc<Schema>,
    types: RawBtf,
    /// The sets of members to remove, with the access that uses each.
    fields: Vec<(Access, BTreeSet<usize>)>,
}

impl Subject {
    fn new(table: &'static Table, kernel: &RawBtf) -> Subject {
        let name = table.object;
        let elf = objects::find(name).unwrap();
        let accesses = relocations::accesses(elf);
        let types = kernel.thinned(&relocations::type_names(elf));
        let names = accesses.iter().map(|access| access.root.clone()).collect();
        let roots = types.roots(&names);
        let mut fields = BTreeMap::new();
        for access in accesses {
            let members = types.find(&roots, &access.root, &access.members);
            // The load with the full BTF covers fields that this kernel already lacks.
            if !members.is_empty() && !is_essential(&access) {
                fields.entry(members).or_insert(access);
            }
        }
        Subject {
            table,
            name,
            elf,
            schema: Arc::new(btf::schema_of(name, elf).unwrap().unwrap()),
            fields: fields
                .into_iter()
                .map(|(at, access)| (access, at))
                .collect(),
            types,
        }
    }

    /// The object, relocated against the kernel's BTF without some members when `load` loads
    /// it. The error is the reason why the kernel or libbpf refuses it.
    fn fitted<T>(
        &self,
        members: &BTreeSet<usize>,
        load: impl FnOnce(OpenObject) -> iterfs_mapping::Result<T>,
    ) -> Result<T, String> {
        let mut types = NamedTempFile::new_in("/dev/shm").unwrap();
        types.write_all(&self.types.without(members)).unwrap();
        let mut builder = ObjectBuilder::default();
        builder.btf_custom_path(types.path()).unwrap();
        let object = loader::open_with(builder, self.name, self.elf).unwrap();
        load(object).map_err(|error| error.to_string())
    }

    /// The facts that the daemon reports as hidden only if some members are missing.
    fn hidden_without(&self, members: &BTreeSet<usize>) -> Vec<&'static str> {
        let hidden = |members: &BTreeSet<usize>| {
            let mut types = NamedTempFile::new_in("/dev/shm").unwrap();
            types.write_all(&self.types.without(members)).unwrap();
            let btf = Btf::from_path(types.path()).unwrap();
            let undecided = rights::undecided(&btf).into_iter();
            undecided
                .map(|undecided| undecided.hidden)
                .collect::<Vec<_>>()
        };
        let before = hidden(&BTreeSet::new());
        let mut hidden = hidden(members);
        hidden.retain(|hidden| !before.contains(hidden));
        hidden
    }

    /// Loads the program to write records, as the daemon does.
    fn load_without(&self, members: &BTreeSet<usize>, maps: &Maps) -> Result<Loaded, String> {
        let schema = Some(Arc::clone(&self.schema));
        self.fitted(members, |object| {
            let options = Options::default();
            loader::load_opened(self.name, object, schema, options, &maps.readers)
        })
    }

    /// Loads the program to print text, as for a pin.
    fn load_as_text_without(&self, members: &BTreeSet<usize>, maps: &Maps) -> Result<(), String> {
        // The columns of a map depend on the map, so the test uses other columns.
        let mut schema = Schema::clone(&self.schema);
        for column in &mut schema.columns {
            if matches!(column.kind, Kind::MapKey | Kind::MapValue) {
                column.kind = Kind::Unsigned(Width::Eight, Unit::None);
            }
        }
        self.fitted(members, |object| {
            text::load_opened(self.name, object, &schema, None, &maps.text_readers).map(drop)
        })
    }
}

/// The maps that the programs share.
#[derive(Default)]
struct Maps {
    readers: SharedMaps,
    text_readers: TextReaders,
}

/// Runs jobs on all processors, and collects their complaints.
fn complaints<J: Sync>(jobs: &[J], run: impl Fn(&J) -> Vec<String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let taken = std::iter::from_fn(|| jobs.get(next.fetch_add(1, Ordering::Relaxed)));
        taken.flat_map(&run).collect::<Vec<_>>()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let found = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        found.collect()
    })
}

fn subjects() -> Vec<Subject> {
    let kernel = RawBtf::parse(fs::read("/sys/kernel/btf/vmlinux").unwrap());
    let here = probe::facts().unwrap().targets;
    let tables = TABLES.iter().filter(|table| here.contains(&table.target));
    let objects: BTreeMap<_, _> = tables.map(|table| (table.object, table)).collect();
    let tables = objects.into_values();
    tables.map(|table| Subject::new(table, &kernel)).collect()
}

/// The faults in the rows of a damaged program, as the host sees them and as callers with fewer
/// rights see them. `before` holds the rows that the undamaged program showed the host.
fn faults(
    subject: &Subject,
    members: &BTreeSet<usize>,
    loaded: &Loaded,
    people: &People,
    before: &Rows,
) -> Result<Vec<String>, String> {
    let show = |settings: &Settings| pass::rows(subject.table, loaded, settings);
    let mut faults = before.lost(&show(&Settings::default())?);
    if matches!(
        subject.table.scope,
        Scope::PidNamespace | Scope::PidAndNetNamespace
    ) {
        if show(&people.stranger())?.count > 0 {
            faults.push("a user without processes sees some".into());
        }
        let (own, inside) = (show(&people.owner())?, show(&people.inside())?);
        faults.extend(people.secrets(&own, &inside));
        // The daemon reports hidden rows if and only if rows are hidden.
        let hidden = subject.hidden_without(members);
        let decides: &[&str] = match subject.name {
            name if pass::PUBLIC.contains(&name) => &[rights::OWNER],
            "files" => &[rights::OWNER, rights::LOOK],
            "vmas" => &[rights::OWNER, rights::LOOK, rights::MAPPINGS],
            _ => return Ok(faults),
        };
        let is_said = decides.iter().any(|decides| hidden.contains(decides));
        // One walk finds the memory of a process through the mapping, and the others through
        // the task.
        let either = subject.name == "vmas" && is_said;
        if people.is_own_shown(&own) == is_said && !either {
            faults.push(format!(
                "the visibility of the user's own process is wrong: {hidden:?}"
            ));
        }
        if people.is_inside_shown(&inside) == hidden.contains(&rights::PIDS) {
            faults.push(format!(
                "the visibility of the namespace's process is wrong: {hidden:?}"
            ));
        }
    }
    Ok(faults)
}

#[test]
fn a_field_that_the_kernel_lacks_takes_no_table_down() {
    let (subjects, maps, people) = (subjects(), Maps::default(), People::new());
    assert!(subjects.len() > 10);
    let none = BTreeSet::new();
    let whole: Vec<_> = subjects
        .iter()
        .map(|subject| {
            // The thinned BTF serves as well as the kernel's.
            let loaded = subject.load_without(&none, &maps).unwrap();
            pass::is_walked(subject.table).then(|| {
                let rows = pass::rows(subject.table, &loaded, &Settings::default()).unwrap();
                let faults = faults(subject, &none, &loaded, &people, &rows).unwrap();
                assert!(faults.is_empty(), "{}: {faults:?}", subject.name);
                rows
            })
        })
        .collect();
    let jobs: Vec<_> = subjects
        .iter()
        .zip(&whole)
        .flat_map(|(subject, rows)| {
            subject
                .fields
                .iter()
                .map(move |field| (subject, rows, field))
        })
        .collect();
    assert!(jobs.len() > 400, "{} fields", jobs.len());
    let complaints = complaints(&jobs, |(subject, rows, (access, members))| {
        let wrong = subject
            .load_without(members, &maps)
            .and_then(|loaded| match rows {
                Some(rows) => faults(subject, members, &loaded, &people, rows),
                None => Ok(Vec::new()),
            });
        let mut wrong = wrong.unwrap_or_else(|error| vec![error]);
        if IDENTITIES.contains(&(subject.name, &access.to_string())) {
            wrong.retain(|wrong| wrong != pass::NO_ROWS);
        }
        let wrong = wrong.iter();
        let described = wrong.map(|wrong| format!("{} without {access}: {wrong}", subject.name));
        described.collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The number of fields that are removed at once. Each is removed alone only if that fails,
/// because the test of the other mode covers most of them already.
const TOGETHER: usize = 8;

#[test]
fn a_field_that_the_kernel_lacks_takes_no_pin_down() {
    let (subjects, maps) = (subjects(), Maps::default());
    let jobs: Vec<_> = subjects
        .iter()
        .flat_map(|subject| {
            let groups = subject.fields.len().div_ceil(TOGETHER);
            // Adjacent fields belong to one struct, and removing one could mask the effect of
            // another.
            (0..groups).map(move |first| {
                let fields = subject.fields.iter().skip(first).step_by(groups);
                (subject, fields.collect::<Vec<_>>())
            })
        })
        .collect();
    let complaints = complaints(&jobs, |(subject, fields)| {
        let all = fields.iter().flat_map(|(_, members)| members).copied();
        if subject.load_as_text_without(&all.collect(), &maps).is_ok() {
            return Vec::new();
        }
        let alone = fields.iter().map(|(access, members)| {
            let loaded = subject.load_as_text_without(members, &maps);
            let error = loaded.err().unwrap_or_else(|| "only with others".into());
            format!("{} without {access}: {error}", subject.name)
        });
        alone.collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
