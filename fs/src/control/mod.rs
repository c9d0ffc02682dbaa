//! The control file: commands in, what is loaded and pinned out.
//!
//! One way: bytes become a [`command`], a command changes programs and pins, and
//! its outcome is kept for whoever reads the same open file; [`report`] shows
//! what there is now. The pins' directory and the kernel hold the state: nothing
//! is remembered here but the last failure and what came from the directory of
//! programs.

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
use iterfs_mapping::{Contents, Error, Format, Subject};
use parking_lot::Mutex;
use pinning::Pinning;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// What the control file works on.
pub struct Control {
    /// What the mount was made with, for the report.
    options: String,
    backend: Arc<dyn Backend>,
    tree: Arc<Tree>,
    pinning: Pinning,
    directory: Option<Mutex<ProgramDirectory>>,
    access: Arc<Access>,
    /// Told after who may read has changed.
    reloaded: OnceLock<Box<dyn Fn() + Send + Sync>>,
    counts: Arc<AllCounts>,
    last_failure: Mutex<Option<Refusal>>,
    /// What is wrong with objects of the directory of programs, since it was last read.
    refused: Mutex<Option<Failure>>,
    /// Held through a command, so that there is one at a time.
    turn: Mutex<()>,
}

/// A command that failed, for the control file to tell.
#[derive(Clone, Debug)]
struct Refusal {
    command: String,
    failure: Failure,
}

impl Control {
    /// A control file, with the directory of programs that the options name.
    ///
    /// # Errors
    /// A directory of programs that others than root may write to.
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
            // A program that does not load keeps the mount from nothing else.
            let loaded = directory.lock().reload(&*control.backend, &control.pinning);
            if let Err(failure) = loaded {
                // The directory has logged each; the control file tells them, too.
                *control.refused.lock() = Some(failure);
            }
        }
        Ok(control)
    }

    /// Has `reloaded` called after a reload has changed who may read; once.
    pub(crate) fn on_reload(&self, reloaded: Box<dyn Fn() + Send + Sync>) {
        let _ = self.reloaded.set(reloaded);
    }

    /// The command `reload`, of which the log tells the outcome.
    pub(crate) fn reload_unasked(&self) {
        let _ = self.execute(b"reload");
    }

    /// Does what was written, and says in a line what that was.
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
                let at = self
                    .pinning
                    .add(&path, self.table(&path)?, pin.as_deref())?;
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

    /// The table that a path without a format leads to.
    fn table(&self, path: &str) -> Result<Contents> {
        let node = self.tree.resolve(path)?;
        let node = node.ok_or_else(|| Failure::NoTable(path.into()))?;
        match node.contents() {
            Some((contents, Format::Text)) => Ok(contents),
            _ => Err(Failure::NotATable(path.into())),
        }
    }

    /// The id of the cgroup that a path from the root of the cgroups leads to.
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

    /// Counts no more what was unloaded.
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
