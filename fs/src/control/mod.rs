//! The control file: it accepts commands, and reports which programs are loaded and pinned.
//!
//! Data flows one way: bytes become a [`command`], a command changes programs and pins, and
//! its outcome is kept for the reader of the same open file. [`report`] shows the current
//! state. The state itself is in the directory of pins and in the kernel. This module
//! remembers only the last failure and the tables loaded from the directory of programs.

pub mod command;
mod directory;
mod file;
mod pinning;
pub(crate) mod report;

use crate::access::Access;
use crate::counts::AllCounts;
use crate::error::{Failure, Result};
use crate::mount::options::Options;
use crate::tree::Tree;
use command::Command;
use directory::Directory as ProgramDirectory;
pub(crate) use file::ControlFile;
use iterfs_mapping::contract::{Backend, ObjectFile};
use iterfs_mapping::path::{names, plain};
use iterfs_mapping::{AskingName, Contents, Error, Format, Query, Subject};
use parking_lot::Mutex;
use pinning::Pinning;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The state that commands change and reports show.
pub struct Control {
    /// The options of the mount, for the report.
    options: String,
    backend: Arc<dyn Backend>,
    tree: Arc<Tree>,
    pinning: Pinning,
    directory: Option<Mutex<ProgramDirectory>>,
    access: Arc<Access>,
    /// Called after a reload has changed who may read.
    reloaded: OnceLock<Box<dyn Fn() + Send + Sync>>,
    counts: Arc<AllCounts>,
    last_failure: Mutex<Option<Refusal>>,
    /// The failures of objects at the last reading of the directory of programs.
    refused: Mutex<Option<Failure>>,
    /// Held while a command runs, so that only one runs at a time.
    turn: Mutex<()>,
}

/// A failed command, for the report.
#[derive(Clone, Debug)]
struct Refusal {
    command: String,
    failure: Failure,
}

impl Control {
    /// A control file for the directory of programs that the options name.
    ///
    /// # Errors
    /// Users other than root may write to the directory of programs.
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        tree: Arc<Tree>,
        access: Arc<Access>,
        counts: Arc<AllCounts>,
        options: &Options,
    ) -> Result<Control> {
        let directory = options.programs.clone();
        let control = Control {
            options: options.in_force(),
            pinning: Pinning::new(Arc::clone(&backend), Arc::clone(&tree)),
            backend,
            tree,
            directory: directory.map(ProgramDirectory::new).map(Mutex::new),
            access,
            reloaded: OnceLock::new(),
            counts,
            last_failure: Mutex::default(),
            refused: Mutex::default(),
            turn: Mutex::default(),
        };
        if let Some(directory) = &control.directory {
            directory.lock().check()?;
            // A program that cannot be loaded does not make the mount fail.
            let loaded = directory.lock().reload(&*control.backend, &control.pinning);
            if let Err(failure) = loaded {
                // The directory has logged each failure; the report shows them, too.
                *control.refused.lock() = Some(failure);
            }
        }
        Ok(control)
    }

    /// Sets the function that is called after a reload has changed who may read. Only the
    /// first call counts.
    pub(crate) fn on_reload(&self, reloaded: Box<dyn Fn() + Send + Sync>) {
        let _ = self.reloaded.set(reloaded);
    }

    /// Runs the command `reload`, and logs its outcome.
    pub(crate) fn reload_unasked(&self) {
        let _ = self.execute(b"reload");
    }

    /// Executes a command, and returns its outcome in one line.
    fn execute(&self, bytes: &[u8]) -> Result<String> {
        let _turn = self.turn.lock();
        let done = Command::parse(bytes)
            .map_err(Failure::Command)
            .and_then(|command| self.run(command));
        let refusal = done.as_ref().err().map(|failure| Refusal {
            command: String::from_utf8_lossy(bytes).trim().to_owned(),
            failure: failure.clone(),
        });
        match &done {
            Err(failure) => {
                let command = String::from_utf8_lossy(bytes);
                let command = report::one_line(command.trim());
                tracing::error!("{command}: {}", report::one_line(&failure.to_string()));
            }
            Ok(line) => tracing::info!("{}", report::one_line(line)),
        }
        *self.last_failure.lock() = refusal;
        done
    }

    fn run(&self, command: Command) -> Result<String> {
        match command {
            Command::Pin { path: None, .. } => self.pinning.add_all(),
            Command::Pin {
                path: Some(path),
                pin,
            } => {
                let (contents, query) = self.asked(&path)?;
                let at = self
                    .pinning
                    .add(&path, contents, query.as_ref(), pin.as_deref())?;
                Ok(format!("pinned {path} at {}", at.display()))
            }
            Command::Unpin { path } => self.pinning.remove(path.as_deref()),
            Command::Update { path, object } => self.update(&path, object.as_ref()),
            Command::Load {
                name,
                object,
                narrowing,
            } => {
                let narrowing = narrowing.try_map_cgroup(|path| self.cgroup(&path))?;
                self.backend.load(&name, &object, narrowing)?;
                Ok(format!("loaded user/{name}"))
            }
            Command::Unload { name } => {
                self.backend.unload(&name)?;
                self.forget();
                Ok(format!("unloaded user/{name}"))
            }
            Command::Reload => self.reload(),
        }
    }

    fn update(&self, path: &str, object: Option<&ObjectFile>) -> Result<String> {
        let contents = self.table(path)?;
        let (pins, done) = match (object, contents) {
            (Some(object), contents) => {
                let pins = self.pinning.update(contents, object)?;
                (pins, format!("updated from {}", object.path.display()))
            }
            (None, Contents::Table(instance)) => {
                let pins = self.pinning.restore(instance)?;
                (pins, "back to its own program".into())
            }
            (None, Contents::User(_)) => return Err(Failure::NoDefault(path.into())),
        };
        Ok(match pins {
            0 => format!("{path}: {done}"),
            pins => format!("{path} and {}: {done}", counted(pins, "pin")),
        })
    }

    /// The table that a path without a format leads to, and the query if its name asks.
    fn asked(&self, path: &str) -> Result<(Contents, Option<Query>)> {
        let whole = plain(path);
        let (directory, name) = whole.rsplit_once('/').unwrap_or(("", &whole));
        let name = match AskingName::split(name.as_bytes()) {
            Some(name) if self.tree.asks(path)? => name,
            _ => return Ok((self.table(path)?, None)),
        };
        let contents = self.table(&format!("{directory}/{}", name.base()))?;
        let query = name.query().map_err(Error::Question)?;
        Ok((contents, Some(query)))
    }

    /// The table that a path without a format leads to.
    fn table(&self, path: &str) -> Result<Contents> {
        if self.tree.asks(path)? {
            return Err(Failure::Asks(path.into()));
        }
        let node = self.tree.resolve(path)?;
        let node = node.ok_or_else(|| Failure::NoTable(path.into()))?;
        match node.contents() {
            Some((contents, Format::Text)) => Ok(contents),
            _ => Err(Failure::NotATable(path.into())),
        }
    }

    /// The id of the cgroup at a path from the root of the cgroups.
    fn cgroup(&self, path: &str) -> Result<u64> {
        let mut id = 0;
        for name in names(path) {
            let found = self.backend.cgroup_below(id, OsStr::new(name))?;
            id =
                found.ok_or_else(|| Error::NoCgroup(PathBuf::from(format!("/{}", plain(path)))))?;
        }
        Ok(id)
    }

    fn reload(&self) -> Result<String> {
        self.access.reload()?;
        if let Some(reloaded) = self.reloaded.get() {
            reloaded();
        }
        let Some(directory) = &self.directory else {
            return Ok("reloaded the configuration".into());
        };
        let done = directory.lock().reload(&*self.backend, &self.pinning);
        *self.refused.lock() = done.as_ref().err().cloned();
        self.forget();
        done
    }

    /// Drops the counts of tables that were unloaded.
    fn forget(&self) {
        let there = self.backend.user_tables();
        self.counts.retain(|subject| match subject {
            Subject::Table(_) => true,
            Subject::User(number) => there.iter().any(|table| table.number == number),
        });
    }
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}
