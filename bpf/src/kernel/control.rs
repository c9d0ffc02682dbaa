//! What the control file changes.

use super::{Kernel, missing};
use crate::btf;
use crate::error::{Error, Result};
use crate::exchange::program_of;
use crate::loader;
use crate::map;
use crate::object_file::ObjectFile;
use crate::object_process;
use crate::objects;
use crate::program::{self, Pinned, Program};
use crate::programs::{Loaded, Narrowing, Programs};
use crate::sys::{self, LinkTo};
use crate::text;
use iterfs_mapping::{Instance, Parameter, Place, Subject, TableId};
use std::os::fd::{AsFd, OwnedFd};

impl Kernel {
    /// A link of a table's own program whose iterators print text.
    fn own_link_as_text(&self, instance: Instance) -> Result<OwnedFd> {
        let table = instance.table.table();
        if !self.targets.contains(&table.target) {
            return Err(Error::NoTarget(table.target));
        }
        let refused = |why| Error::NoText(table.name.into(), why);
        if table.places.contains(&Place::Summary) {
            return Err(refused("the daemon takes its groups out of the kernel"));
        }
        let elf = objects::find(table.object).ok_or_else(|| missing(table))?;
        let schema = btf::schema_of(table.object, elf)?;
        let schema = schema.ok_or_else(|| refused("it has no rows"))?;
        let text = |schema| text::load_as_text(table.object, elf, schema, &self.text_readers);
        let (program, map) = match instance.parameter {
            Parameter::Map(id) => {
                let (map, schema) = map::printed(&schema, id)?;
                (text(&schema)?, Some(map))
            }
            _ => (text(&schema)?, None),
        };
        let to = match (instance.parameter, &map) {
            (Parameter::None, _) => LinkTo::Everything,
            (Parameter::Process(process), _) => LinkTo::Process(process),
            (Parameter::Cgroup(id, order), _) => LinkTo::Cgroup(id, order),
            (Parameter::Map(_), Some(map)) => LinkTo::Map(map.as_fd()),
            (Parameter::NetNamespace(_) | Parameter::Map(_), _) => {
                return Err(refused("a pin shows the net namespace of its reader"));
            }
        };
        program::attach(table.object, program.as_fd(), to)
    }
}

impl Programs for Kernel {
    fn load(&self, name: &str, object: &ObjectFile, narrowing: &Narrowing) -> Result<()> {
        self.user.add(name, || {
            let map = match narrowing {
                Narrowing::Map(id) => Some(sys::map_by_id(*id).map_err(Error::Map)?),
                _ => None,
            };
            let to = match (narrowing, &map) {
                (Narrowing::Process(pid), _) => LinkTo::Process(*pid),
                (Narrowing::Thread(tid), _) => LinkTo::Thread(*tid),
                (Narrowing::Map(_), Some(map)) => LinkTo::Map(map.as_fd()),
                (Narrowing::Cgroup(path, order), _) => {
                    LinkTo::Cgroup(self.cgroups.resolve(path)?, *order)
                }
                _ => LinkTo::Everything,
            };
            Program::bring(object, to, &self.readers)
        })
    }

    fn unload(&self, name: &str) -> Result<()> {
        self.user.remove(name)
    }

    fn update(&self, table: Subject, object: &ObjectFile, pinned: &[OwnedFd]) -> Result<()> {
        // Loaded before readers must wait for anything.
        let loaded = object_process::load(object, None, &self.readers)?;
        if loaded.writes_records() && !pinned.is_empty() {
            return Err(Error::Pinned(object.name()));
        }
        let pinned = pinned.iter().map(|link| Pinned {
            link: link.as_fd(),
            program: None,
        });
        let pinned: Vec<_> = pinned.collect();
        let replace =
            |program: &Program| program.replaced(loaded, Some(object.path.clone()), &pinned);
        match table {
            Subject::Table(table) => {
                let (slot, load) = self.slot(table)?;
                slot.program(load)?;
                slot.replace(replace)
            }
            Subject::User(number) => self.user.find(number)?.slot().replace(replace),
        }
    }

    fn restore(&self, table: TableId, pinned: &[(Instance, OwnedFd)]) -> Result<()> {
        let (slot, own) = self.slot(table)?;
        let stands = slot.loaded().is_none_or(|program| program.is_own());
        if stands && pinned.is_empty() {
            return Ok(());
        }
        // A pin may run what an earlier daemon was told to put there.
        slot.program(own)?;
        let object = table.table().object;
        let elf = objects::find(object).ok_or_else(|| missing(table.table()))?;
        let loaded = loader::load(object, elf, loader::Options::default(), &self.readers)?;
        let text = pinned.iter().map(|(instance, link)| {
            let text = self.own_link_as_text(*instance)?;
            Ok(Pinned {
                link: link.as_fd(),
                program: Some(program_of(text.as_fd())?),
            })
        });
        let pinned: Vec<_> = text.collect::<Result<_>>()?;
        slot.replace(|program| program.replaced(loaded, None, &pinned))
    }

    fn link_as_text(&self, instance: Instance) -> Result<OwnedFd> {
        let (slot, _) = self.slot(instance.table)?;
        let stands = slot.loaded().filter(|program| !program.is_own());
        match stands {
            Some(program) => program.link_as_text(instance.parameter),
            None => self.own_link_as_text(instance),
        }
    }

    fn link_of_user(&self, number: u32) -> Result<OwnedFd> {
        let table = self.user.find(number)?;
        let (_, link) = table.with(|program| program.link_to_pin())?;
        Ok(link)
    }

    fn loaded(&self) -> Vec<Loaded> {
        let tables = TableId::all().filter_map(|table| {
            let subject = Subject::Table(table);
            if let Some(counters) = self.counters.lock().get(table.table().object) {
                return counters.describe(subject);
            }
            let program = self.slot(table).ok()?.0.loaded()?;
            program.describe(subject, None).ok()
        });
        let user = self.user.list().into_iter().filter_map(|(name, table)| {
            let program = table.slot().loaded()?;
            program
                .describe(Subject::User(table.number), Some(name))
                .ok()
        });
        tables.chain(user).collect()
    }
}
