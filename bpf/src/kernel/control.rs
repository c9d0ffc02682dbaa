//! What the control file changes.

use super::{Kernel, missing};
use crate::attachment::Attachment;
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
use crate::text;
use iterfs_mapping::{Instance, Parameter, Place, Subject, TableId};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

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
        let (program, to) = match instance.parameter {
            Parameter::NetNamespace(_) => {
                return Err(refused("a pin shows the net namespace of its reader"));
            }
            Parameter::Map(id) => {
                let (map, schema) = map::printed(&schema, id)?;
                (text(&schema)?, Attachment::Map(Arc::new(map)))
            }
            parameter => (text(&schema)?, Attachment::to_part(parameter)?),
        };
        program::attach(table.object, program.as_fd(), to.target())
    }
}

impl Programs for Kernel {
    fn load(&self, name: &str, object: &ObjectFile, narrowing: &Narrowing) -> Result<()> {
        self.user.add(name, || {
            let to = match narrowing {
                Narrowing::Nothing => Attachment::Everything,
                Narrowing::Process(pid) => Attachment::Process(*pid),
                Narrowing::Thread(tid) => Attachment::Thread(*tid),
                Narrowing::Map(id) => Attachment::to_map(*id)?,
                Narrowing::Cgroup(path, order) => {
                    Attachment::Cgroup(self.cgroups.resolve(path)?, *order)
                }
                Narrowing::EachCgroup(path) => Attachment::EachCgroup(self.cgroups.resolve(path)?),
            };
            Program::bring(object, to, &self.readers)
        })
    }

    fn unload(&self, name: &str) -> Result<()> {
        self.user.remove(name)
    }

    fn update(
        &self,
        table: Subject,
        part: Parameter,
        object: &ObjectFile,
        pinned: &[(Option<Instance>, OwnedFd)],
    ) -> Result<()> {
        let user = match table {
            Subject::User(number) => Some(self.user.find(number)?),
            Subject::Table(_) => None,
        };
        // A user's table keeps the map that it walks.
        let walked = user.as_ref().and_then(|user| user.slot().loaded());
        let attachment = walked.map(|program| program.attachment().clone());
        let attachment = attachment.unwrap_or_default();
        // Loaded before readers must wait for anything.
        let loaded = object_process::load(object, attachment.map(), &self.readers)?;
        if loaded.writes_records() && !pinned.is_empty() {
            return Err(Error::Pinned(object.name()));
        }
        let pinned = pinned.iter().map(|(instance, link)| {
            Ok(Pinned {
                link: link.as_fd(),
                attachment: match instance {
                    Some(instance) => Attachment::to_part(instance.parameter)?,
                    None => attachment.clone(),
                },
                program: None,
            })
        });
        let pinned: Vec<_> = pinned.collect::<Result<_>>()?;
        let part = Attachment::to_part(part)?;
        let replace =
            |program: &Program| program.replaced(loaded, Some(object.path.clone()), &part, &pinned);
        match (table, user) {
            (Subject::Table(table), _) => {
                let (slot, load) = self.slot(table)?;
                slot.program(load)?;
                slot.replace(replace)
            }
            (Subject::User(_), Some(user)) => user.slot().replace(replace),
            (Subject::User(number), None) => Err(Error::NoUserTable(format!("#{number}"))),
        }
    }

    fn restore(
        &self,
        table: TableId,
        part: Parameter,
        pinned: &[(Instance, OwnedFd)],
    ) -> Result<()> {
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
                attachment: Attachment::to_part(instance.parameter)?,
                program: Some(program_of(text.as_fd())?),
            })
        });
        let pinned: Vec<_> = text.collect::<Result<_>>()?;
        let part = Attachment::to_part(part)?;
        slot.replace(|program| program.replaced(loaded, None, &part, &pinned))
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
