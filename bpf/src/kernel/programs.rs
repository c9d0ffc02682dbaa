//! The programs of the tables, and their pins, as changed by the control file.

use super::{Kernel, missing};
use crate::load::question::{Encoded, divide};
use crate::load::{loader, object_process, objects, schemas, text};
use crate::pass::map;
use crate::program::attachment::Attachment;
use crate::program::link_swap::program_of;
use crate::program::{self, PinnedProgram, Program, pinned_question};
use iterfs_mapping::contract::{Loaded, ObjectFile, Pin, PinnedLink, Pins, Programs};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::query::Question;
use iterfs_mapping::row::Schema;
use iterfs_mapping::{Contents, Instance, Narrowing, Place, Query, Subject, TableId};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

impl Kernel {
    /// A link of a table's built-in program whose iterators print text: all rows, or those for
    /// which a query asks.
    fn own_link_as_text(&self, instance: Instance, query: Option<&Query>) -> Result<OwnedFd> {
        let table = instance.table.table();
        if !self.targets.contains(&table.target) {
            return Err(Error::NoTarget(table.target));
        }
        let refused = |why| Error::NoText(table.name.into(), why);
        if table.places.contains(&Place::Summary) {
            return Err(refused("only the daemon can read the groups of a summary"));
        }
        let elf = objects::find(table.object).ok_or_else(|| missing(table))?;
        let schema = schemas::of(table.object)?;
        let template = schema.ok_or_else(|| refused("its program marks no struct as the row"))?;
        if query.is_some_and(is_of_daemon) {
            return Err(refused(
                "a pin can show columns and evaluate conditions, but top, first, every and \
                 whole need the daemon",
            ));
        }
        let text = |schema: &Arc<Schema>| {
            let load = |schema: &Schema, question: Option<&Encoded>| {
                text::load_as_text(table.object, elf, schema, question, &self.text_readers)
            };
            let Some(query) = query else {
                return load(&schema.by_default(), None);
            };
            let question = Question::of(query, schema).map_err(Error::Question)?;
            let divided = divide(&question, &template);
            match divided.in_daemon.is_empty() {
                true => load(&question.schema, Some(&divided.encoded)),
                false => Err(refused(
                    "it has conditions that only the daemon can evaluate, or too many",
                )),
            }
        };
        let (program, to) = match instance.narrowing {
            Narrowing::NetNamespace(_) => {
                return Err(refused("a pin shows the net namespace of its reader"));
            }
            Narrowing::Map(id) => {
                let (map, schema) = map::printed(&template, id)?;
                (text(&Arc::new(schema))?, Attachment::to_map(id, map))
            }
            narrowing => (text(&template)?, Attachment::to(narrowing)?),
        };
        program::attach(table.object, program.as_fd(), &to)
    }
}

impl Kernel {
    /// A link whose iterators print a table as text, to be pinned. It runs the user program
    /// that replaced the table's own, if that program prints text.
    fn link_as_text(&self, instance: Instance, query: Option<&Query>) -> Result<OwnedFd> {
        let (slot, _) = self.slot(instance.table)?;
        let updated = slot.loaded().filter(|program| !program.is_built_in());
        match updated {
            Some(_) if query.is_some() => Err(Error::PrintsText),
            Some(program) => program.link_as_text(instance.narrowing),
            None => self.own_link_as_text(instance, query),
        }
    }
}

impl Programs for Kernel {
    fn load(&self, name: &str, object: &ObjectFile, narrowing: Narrowing) -> Result<()> {
        self.user.add(name, || {
            Program::of_user(object, Attachment::to(narrowing)?, &self.maps)
        })
    }

    fn unload(&self, name: &str) -> Result<()> {
        self.user.remove(name)
    }

    fn update(&self, contents: Contents, object: &ObjectFile, pinned: &[PinnedLink]) -> Result<()> {
        let user = match contents {
            Contents::User(number) => Some(self.user.find(number)?),
            Contents::Table(_) => None,
        };
        // A user table keeps the map that it walks open.
        let loaded = user.as_ref().and_then(|user| user.slot().loaded());
        let attachment = loaded.map(|program| program.attachment().clone());
        let attachment = attachment.unwrap_or_default();
        // Load the program before readers have to wait for the slot.
        let loaded = object_process::load(object, attachment.map(), &self.maps)?;
        if loaded.writes_records() && !pinned.is_empty() {
            return Err(Error::Pinned(object.name()));
        }
        let pinned = pinned.iter().map(|pinned| {
            let link = self.pins.link(&pinned.pin)?;
            if pinned_question::asks(link.as_fd())? {
                return Err(Error::PinAsks(pinned.pin.clone()));
            }
            Ok(PinnedProgram {
                link,
                attachment: match pinned.contents {
                    Contents::Table(instance) => Attachment::to(instance.narrowing)?,
                    Contents::User(_) => attachment.clone(),
                },
                program: None,
            })
        });
        let pinned: Vec<_> = pinned.collect::<Result<_>>()?;
        let part = match contents {
            Contents::Table(instance) => Attachment::to(instance.narrowing)?,
            Contents::User(_) => Attachment::EVERYTHING,
        };
        let file = Some(object.path.clone());
        let replace = |program: &Program| program.replaced(loaded, file, &part, &pinned);
        match contents {
            Contents::Table(instance) => {
                let (slot, load) = self.slot(instance.table)?;
                slot.program(load)?;
                slot.replace(replace)
            }
            Contents::User(number) => self.user.find(number)?.slot().replace(replace),
        }
    }

    fn restore(
        &self,
        Instance { table, narrowing }: Instance,
        pinned: &[PinnedLink],
    ) -> Result<()> {
        let (slot, own) = self.slot(table)?;
        let stands = slot.loaded().is_none_or(|program| program.is_built_in());
        if stands && pinned.is_empty() {
            return Ok(());
        }
        // The pin may run a program that an earlier daemon put there.
        slot.program(own)?;
        let object = table.table().object;
        let elf = objects::find(object).ok_or_else(|| missing(table.table()))?;
        let loaded = loader::load(object, elf, loader::Options::default(), &self.maps)?;
        let text = pinned.iter().filter_map(|pinned| match pinned.contents {
            Contents::Table(instance) => Some((instance, &pinned.pin)),
            Contents::User(_) => None,
        });
        let text = text.map(|(instance, pin)| {
            let link = self.pins.link(pin)?;
            // No update replaces the program of a pin that asks.
            if pinned_question::asks(link.as_fd())? {
                return Ok(None);
            }
            let text = self.own_link_as_text(instance, None)?;
            Ok(Some(PinnedProgram {
                link,
                attachment: Attachment::to(instance.narrowing)?,
                program: Some(program_of(text.as_fd())?),
            }))
        });
        let pinned = text.filter_map(Result::transpose);
        let pinned: Vec<_> = pinned.collect::<Result<_>>()?;
        let part = Attachment::to(narrowing)?;
        slot.replace(|program| program.replaced(loaded, None, &part, &pinned))
    }

    fn loaded(&self) -> Vec<Loaded> {
        let tables = TableId::all().filter_map(|table| {
            let subject = Subject::Table(table);
            if let Some(pool) = self.summaries.lock().get(table.table().object) {
                return pool.describe(subject);
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

impl Pins for Kernel {
    fn pin_path(&self, name: &str) -> PathBuf {
        self.pins.path(name)
    }

    fn pin(&self, contents: Contents, query: Option<&Query>, name: &str) -> Result<PathBuf> {
        let link = match contents {
            Contents::Table(instance) => self.link_as_text(instance, query)?,
            Contents::User(_) if query.is_some() => return Err(Error::PrintsText),
            Contents::User(number) => self.user.find(number)?.with(|it| it.link_to_pin())?.1,
        };
        self.pins.add(name, link.as_fd())
    }

    fn unpin(&self, name: &str) -> Result<()> {
        self.pins.remove(name)
    }

    fn pins(&self) -> Result<Vec<Pin>> {
        self.pins.list()
    }
}

/// Whether a query has terms that only the daemon can carry out.
fn is_of_daemon(query: &Query) -> bool {
    query.top.is_some() || query.first.is_some() || query.every.is_some() || query.whole
}
