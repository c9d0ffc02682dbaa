//! Which tables are pinned, and where.

use super::counted;
use super::resolve::{names, whole_tables};
use crate::error::{Failure, Result};
use iterfs_bpf::pins::Pin;
use iterfs_bpf::{Error, ObjectFile, Pins, Programs};
use iterfs_mapping::{Directory, File, Format, Instance, Node, Parameter, Subject, TableId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// As many bytes of a program's name as the kernel keeps
/// (include/linux/bpf.h, BPF_OBJ_NAME_LEN).
const PROGRAM_NAME: usize = 15;

/// The pins of some programs' tables.
pub(super) struct Pinning {
    programs: Arc<dyn Programs>,
    pins: Pins,
    /// What the links show that were pinned or updated here, by their ids: of a
    /// link that runs a program which was brought nothing else may tell.
    known: Mutex<HashMap<u32, Shown>>,
}

/// What a pin shows.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// The table's path.
    pub(super) path: String,
    /// The table, if it is there.
    subject: Option<Subject>,
    /// Its part, of a table of the layout.
    instance: Option<Instance>,
}

impl Pinning {
    pub(super) fn new(programs: Arc<dyn Programs>, directory: PathBuf) -> Pinning {
        Pinning {
            programs,
            pins: Pins::below(directory),
            known: Mutex::default(),
        }
    }

    /// Where a pin is.
    pub(super) fn path(&self, pin: &Pin) -> PathBuf {
        self.pins.path(&pin.name)
    }

    /// What is pinned now, and which tables that shows.
    pub(super) fn list(&self) -> Result<Vec<(Pin, Option<Shown>)>> {
        let pins = self.pins.list()?;
        let loaded = self.programs.loaded();
        let brought = |link: u32| {
            let table = loaded.iter().find(|table| table.link == Some(link))?;
            Some(Shown {
                path: format!("user/{}", table.name.as_ref()?),
                subject: Some(table.table),
                instance: None,
            })
        };
        let mut known = self.known.lock();
        known.retain(|link, _| pins.iter().any(|pin| pin.link == *link));
        let shown = pins.into_iter().map(|pin| {
            let shown = brought(pin.link).or_else(|| known.get(&pin.link).cloned());
            let shown = shown.or_else(|| self.recognized(&pin));
            (pin, shown)
        });
        Ok(shown.collect())
    }

    /// What the pin of an earlier daemon shows: by its program if that is one of
    /// ours, else by where it is.
    fn recognized(&self, pin: &Pin) -> Option<Shown> {
        let files = TableId::all().filter(|id| id.table().target.name == pin.target);
        let files = files.filter_map(|table| file(table, pin.parameter?));
        let files: Vec<File> = files.collect();
        let found = files
            .iter()
            .find(|file| is_own(file.table, &pin.program_name))
            .or_else(|| files.iter().find(|file| name_of(&file.path()) == pin.name));
        if let Some(file) = found {
            return Some(Shown {
                path: file.path(),
                subject: Some(Subject::Table(file.table)),
                instance: Some(file.instance()),
            });
        }
        let name = pin.name.strip_prefix("user/")?;
        let tables = self.programs.user_tables();
        let table = tables.into_iter().find(|table| table.name == name);
        Some(Shown {
            path: pin.name.clone(),
            subject: table.map(|table| Subject::User(table.number)),
            instance: None,
        })
    }

    /// Pins a table that a path led to.
    pub(super) fn add(&self, path: &str, node: Node, name: Option<&str>) -> Result<PathBuf> {
        let (link, subject, instance) = match node {
            Node::File(file) => (
                self.programs.link_as_text(file.instance())?,
                Subject::Table(file.table),
                Some(file.instance()),
            ),
            Node::User(file) => (
                self.programs.link_of_user(file.table)?,
                Subject::User(file.table),
                None,
            ),
            _ => return Err(Failure::IsADirectory),
        };
        let own = name_of(path);
        let name = name.unwrap_or(&own);
        let at = self.pins.add(name, link.as_fd())?;
        let pins = self.pins.list()?;
        if let Some(pin) = pins.iter().find(|pin| pin.name == name) {
            let shown = Shown {
                path: names(path).collect::<Vec<_>>().join("/"),
                subject: Some(subject),
                instance,
            };
            self.known.lock().insert(pin.link, shown);
        }
        Ok(at)
    }

    /// Pins every table that needs no parameter and is not pinned yet: all or none.
    pub(super) fn add_all(&self) -> Result<String> {
        let pinned: Vec<_> = self.pins.list()?.into_iter().map(|pin| pin.name).collect();
        let mut made = Vec::new();
        for file in whole_tables(&*self.programs) {
            let path = file.path();
            let name = name_of(&path);
            if pinned.contains(&name) {
                continue;
            }
            match self.add(&path, Node::File(file), None) {
                Ok(_) => made.push(name),
                Err(Failure::Tables(error)) if matches!(*error, Error::NoText(..)) => {}
                Err(failure) => {
                    for name in made {
                        // What cannot be undone is still to be seen in the directory.
                        let _ = self.pins.remove(&name);
                    }
                    return Err(failure);
                }
            }
        }
        Ok(format!("pinned {}", counted(made.len(), "table")))
    }

    /// Removes the pins of a path, or every one.
    pub(super) fn remove(&self, path: Option<&str>) -> Result<String> {
        let pins = self.list()?;
        let Some(path) = path else {
            for (pin, _) in &pins {
                self.pins.remove(&pin.name)?;
            }
            return Ok(format!("unpinned {}", counted(pins.len(), "link")));
        };
        // The table may be gone, so its path is not looked up.
        let own = name_of(path);
        let plain = names(path).collect::<Vec<_>>().join("/");
        let found: Vec<_> = pins
            .into_iter()
            .filter(|(pin, shown)| {
                let shows = shown.as_ref().map(|shown| &*shown.path);
                // A place says what is there only if nothing else does.
                shows.map_or(pin.name == own, |path| path == plain)
            })
            .collect();
        if found.is_empty() {
            return Err(Failure::NotPinned(path.into()));
        }
        for (pin, _) in &found {
            self.pins.remove(&pin.name)?;
        }
        Ok(format!("unpinned {path}"))
    }

    /// Puts another program into a table's link and its pinned ones; says how many
    /// of those there are. `part` is the one that the table was named by.
    pub(super) fn update(
        &self,
        table: Subject,
        part: Parameter,
        object: &ObjectFile,
    ) -> Result<usize> {
        let links = self.links(table)?;
        self.programs.update(table, part, object, &links)?;
        Ok(links.len())
    }

    /// Puts a table's own program back into all of them.
    pub(super) fn restore(&self, table: TableId, part: Parameter) -> Result<usize> {
        let pins = self.links(Subject::Table(table))?.into_iter();
        let links = pins.filter_map(|(instance, link)| Some((instance?, link)));
        let links: Vec<_> = links.collect();
        self.programs.restore(table, part, &links)?;
        Ok(links.len())
    }

    /// The pinned links of a table, whole and narrowed. What they show is kept in
    /// mind from here on, as their programs are about to change.
    fn links(&self, of: Subject) -> Result<Vec<(Option<Instance>, OwnedFd)>> {
        let mut links = Vec::new();
        for (pin, shown) in self.list()? {
            let Some(shown) = shown.filter(|shown| shown.subject == Some(of)) else {
                continue;
            };
            links.push((shown.instance, self.pins.link(&pin.name)?));
            self.known.lock().insert(pin.link, shown);
        }
        Ok(links)
    }
}

/// Where a table is pinned if nothing else is said. A bpffs keeps names with a dot
/// for itself.
fn name_of(path: &str) -> String {
    names(path).collect::<Vec<_>>().join("/").replace('.', "_")
}

/// Whether a program's name, as far as the kernel keeps it, is that of a table's own.
fn is_own(table: TableId, program: &str) -> bool {
    let own = format!("dump_{}", table.table().object);
    program == &own[..own.len().min(PROGRAM_NAME)]
}

/// The file that shows a table narrowed so.
fn file(table: TableId, parameter: Parameter) -> Option<File> {
    let in_directory = |directory| File {
        directory,
        table,
        format: Format::Text,
    };
    let file = match parameter {
        Parameter::None => File::whole(table)?,
        Parameter::Process(pid) => in_directory(Directory::Process(pid)),
        Parameter::NetNamespace(inode) => in_directory(Directory::NetNamespace(inode)),
        Parameter::Map(id) => in_directory(Directory::Map(id)),
        Parameter::Cgroup(id, _) => in_directory(Directory::Cgroup(id)),
    };
    (file.instance() == Instance { table, parameter }).then_some(file)
}
