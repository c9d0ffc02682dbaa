//! The pins: which tables are pinned, and where.

use super::counted;
use crate::error::{Failure, Result};
use crate::tree::Tree;
use iterfs_mapping::contract::{Backend, ObjectFile, Pin, PinnedLink};
use iterfs_mapping::path::plain;
use iterfs_mapping::query::{ASKS, Query};
use iterfs_mapping::{Contents, Error, File, Instance, Subject, TableId};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Maximum length of a program's name that the kernel keeps, in bytes (include/linux/bpf.h,
/// BPF_OBJ_NAME_LEN).
const PROGRAM_NAME: usize = 15;

/// The pins, and the tables that they show.
pub(super) struct Pinning {
    backend: Arc<dyn Backend>,
    tree: Arc<Tree>,
    /// The tables of the links that were pinned or updated here, by link id. If a link runs
    /// a user program, there may be no other record of its table.
    known: Mutex<HashMap<u32, Shown>>,
}

/// The table that a pin shows.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// The table's path.
    pub(super) path: String,
    /// The table and its part, if the table still exists.
    contents: Option<Contents>,
}

impl Pinning {
    pub(super) fn new(backend: Arc<dyn Backend>, tree: Arc<Tree>) -> Pinning {
        Pinning {
            backend,
            tree,
            known: Mutex::default(),
        }
    }

    /// The current pins, each with the table that it shows if that is known.
    pub(super) fn list(&self) -> Result<Vec<(Pin, Option<Shown>)>> {
        let pins = self.backend.pins()?;
        let loaded = self.backend.loaded();
        let of_user = |link: u32| {
            let table = loaded.iter().find(|table| table.link == Some(link))?;
            let contents = match table.table {
                Subject::User(number) => Some(Contents::User(number)),
                Subject::Table(_) => None,
            };
            Some(Shown {
                path: format!("user/{}", table.name.as_ref()?),
                contents,
            })
        };
        let mut known = self.known.lock();
        known.retain(|link, _| pins.iter().any(|pin| pin.link == *link));
        let shown = pins.into_iter().map(|pin| {
            let shown = of_user(pin.link).or_else(|| known.get(&pin.link).cloned());
            let shown = shown.or_else(|| self.recognized(&pin));
            (pin, shown)
        });
        Ok(shown.collect())
    }

    /// The table that a pin of an earlier daemon shows: recognized by the program if it is
    /// a built-in one, or else by the pin's path.
    fn recognized(&self, pin: &Pin) -> Option<Shown> {
        let files = TableId::all().filter(|id| id.table().target.name == pin.target);
        let files = files.filter_map(|table| {
            let narrowing = pin.narrowing?;
            File::of(Instance { table, narrowing })
        });
        let files: Vec<File> = files.collect();
        let found = files
            .iter()
            .find(|file| is_own(file.table, &pin.program_name))
            .or_else(|| files.iter().find(|file| name_of(&file.path()) == pin.name));
        if let Some(file) = found {
            let path = file.path();
            let asks = pin.name.strip_prefix(&name_of(&path));
            let asks = asks.is_some_and(|rest| rest.as_bytes().first() == Some(&ASKS));
            return Some(Shown {
                // The query is known from the pin's name alone.
                path: if asks { pin.name.clone() } else { path },
                contents: Some(Contents::Table(file.instance())),
            });
        }
        let name = pin.name.strip_prefix("user/")?;
        let tables = self.backend.user_tables();
        let table = tables.into_iter().find(|table| table.name == name);
        Some(Shown {
            path: pin.name.clone(),
            contents: table.map(|table| Contents::User(table.number)),
        })
    }

    /// Pins the table at a path, or the answer to a query.
    pub(super) fn add(
        &self,
        path: &str,
        contents: Contents,
        query: Option<&Query>,
        name: Option<&str>,
    ) -> Result<PathBuf> {
        let own = name_of(path);
        let name = name.unwrap_or(&own);
        let at = self.backend.pin(contents, query, name)?;
        let pins = self.backend.pins()?;
        if let Some(pin) = pins.iter().find(|pin| pin.name == name) {
            let shown = Shown {
                path: plain(path),
                contents: Some(contents),
            };
            self.known.lock().insert(pin.link, shown);
        }
        Ok(at)
    }

    /// Pins every table that needs no parameter and is not pinned yet: all or none.
    pub(super) fn add_all(&self) -> Result<String> {
        let pinned: Vec<_> = self
            .backend
            .pins()?
            .into_iter()
            .map(|pin| pin.name)
            .collect();
        let mut made = Vec::new();
        for file in self.tree.whole_tables() {
            let path = file.path();
            let name = name_of(&path);
            if pinned.contains(&name) {
                continue;
            }
            match self.add(&path, Contents::Table(file.instance()), None, None) {
                Ok(_) => made.push(name),
                Err(Failure::Tables(error)) if matches!(*error, Error::NoText(..)) => {}
                Err(failure) => {
                    for name in made {
                        // A pin that cannot be removed again is still visible in the
                        // directory.
                        let _ = self.backend.unpin(&name);
                    }
                    return Err(failure);
                }
            }
        }
        Ok(format!("pinned {}", counted(made.len(), "table")))
    }

    /// Removes the pins of a path, or all pins.
    pub(super) fn remove(&self, path: Option<&str>) -> Result<String> {
        let pins = self.list()?;
        let Some(path) = path else {
            for (pin, _) in &pins {
                self.backend.unpin(&pin.name)?;
            }
            return Ok(format!("unpinned {}", counted(pins.len(), "link")));
        };
        // The table may be gone, so do not look up its path.
        let own = name_of(path);
        let plain = plain(path);
        let found: Vec<_> = pins
            .into_iter()
            .filter(|(pin, shown)| {
                let shows = shown.as_ref().map(|shown| &*shown.path);
                // A pin's path identifies its table only if nothing else does.
                shows.map_or(pin.name == own, |path| path == plain || path == own)
            })
            .collect();
        if found.is_empty() {
            return Err(Failure::NotPinned(path.into()));
        }
        for (pin, _) in &found {
            self.backend.unpin(&pin.name)?;
        }
        Ok(format!("unpinned {path}"))
    }

    /// Replaces the program of a table's link and of its pinned links. Returns how many
    /// pinned links there are. `contents` includes the part of the table that its path
    /// named.
    pub(super) fn update(&self, contents: Contents, object: &ObjectFile) -> Result<usize> {
        let pinned = self.links(contents.subject())?;
        self.backend.update(contents, object, &pinned)?;
        Ok(pinned.len())
    }

    /// Restores a table's own program in all of its links.
    pub(super) fn restore(&self, instance: Instance) -> Result<usize> {
        let pinned = self.links(Subject::Table(instance.table))?;
        self.backend.restore(instance, &pinned)?;
        Ok(pinned.len())
    }

    /// The pinned links of a table, whether whole or narrowed. Their tables are remembered
    /// from here on, because their programs are about to change.
    fn links(&self, of: Subject) -> Result<Vec<PinnedLink>> {
        let mut links = Vec::new();
        for (pin, shown) in self.list()? {
            let Some(shown) = shown else { continue };
            let contents = shown.contents.filter(|contents| contents.subject() == of);
            let Some(contents) = contents else { continue };
            self.known.lock().insert(pin.link, shown);
            links.push(PinnedLink {
                contents,
                pin: pin.name,
            });
        }
        Ok(links)
    }
}

/// The default path of a table's pin. bpffs reserves names with a dot for itself.
fn name_of(path: &str) -> String {
    plain(path).replace('.', "_")
}

/// Whether a program's name, as far as the kernel keeps it, is that of the table's own
/// program.
fn is_own(table: TableId, program: &str) -> bool {
    let own = format!("dump_{}", table.table().object);
    program == &own[..own.len().min(PROGRAM_NAME)]
}
