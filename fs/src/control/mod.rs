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
mod report;

use crate::access::Access;
use crate::counts::AllCounts;
use crate::error::{Failure, Result};
use crate::live;
use command::{Command, Parameters};
use directory::Directory as ProgramDirectory;
pub(crate) use file::ControlFile;
use iterfs_bpf::pins::Pin;
use iterfs_bpf::programs::Narrowing;
use iterfs_bpf::{Caller, Error, ObjectFile, Pins, Programs, View};
use iterfs_mapping::{
    Directory, File, Format, Instance, Need, Node, Parameter, Subject, TableId, UserFile,
};
use parking_lot::Mutex;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// What the control file works on.
pub struct Control {
    programs: Arc<dyn Programs>,
    pins: Pins,
    directory: Option<Mutex<ProgramDirectory>>,
    access: Arc<Access>,
    /// Told after who may read has changed.
    reloaded: OnceLock<Box<dyn Fn() + Send + Sync>>,
    counts: Arc<AllCounts>,
    last_failure: Mutex<Option<Refusal>>,
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
    /// A control file over some programs, with pins below a directory and, if one
    /// is given, a directory of programs.
    ///
    /// # Errors
    /// A directory of programs that others than root may write to.
    pub(crate) fn new(
        programs: Arc<dyn Programs>,
        access: Arc<Access>,
        counts: Arc<AllCounts>,
        pins: PathBuf,
        directory: Option<PathBuf>,
    ) -> Result<Control> {
        let control = Control {
            programs,
            pins: Pins::below(pins),
            directory: directory.map(ProgramDirectory::new).map(Mutex::new),
            access,
            reloaded: OnceLock::new(),
            counts,
            last_failure: Mutex::default(),
            turn: Mutex::default(),
        };
        if let Some(directory) = &control.directory {
            directory.lock().check()?;
            // A program that does not load keeps the mount from nothing else.
            if let Err(failure) = directory.lock().reload(&*control.programs) {
                tracing::error!("{failure}");
            }
        }
        Ok(control)
    }

    /// Has `reloaded` called after a reload has changed who may read; once.
    pub(crate) fn on_reload(&self, reloaded: Box<dyn Fn() + Send + Sync>) {
        let _ = self.reloaded.set(reloaded);
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
        match &refusal {
            Some(refusal) => tracing::error!("{}: {}", refusal.command, refusal.failure),
            None => tracing::info!("{}", String::from_utf8_lossy(bytes).trim()),
        }
        *self.last_failure.lock() = refusal;
        done
    }

    fn run(&self, command: Command) -> Result<String> {
        match command {
            Command::Pin { path: None, .. } => self.pin_all(),
            Command::Pin {
                path: Some(path),
                pin,
            } => {
                let at = self.pin(self.resolve(&path)?, pin.as_deref())?;
                Ok(format!("pinned {path} at {}", at.display()))
            }
            Command::Unpin { path } => self.unpin(path.as_deref()),
            Command::Update { path, object } => self.update(&path, object.as_ref()),
            Command::Load {
                name,
                object,
                parameters,
            } => {
                let narrowing = self.narrowing(parameters)?;
                self.programs.load(&name, &object, &narrowing)?;
                Ok(format!("loaded user/{name}"))
            }
            Command::Unload { name } => {
                self.programs.unload(&name)?;
                Ok(format!("unloaded user/{name}"))
            }
            Command::Reload => self.reload(),
        }
    }

    /// The file of a table's path, which names no format.
    fn resolve(&self, path: &str) -> Result<Node> {
        let node = resolve(&*self.programs, path)?;
        match node {
            Node::File(File { format, .. }) | Node::User(UserFile { format, .. })
                if format == Format::Text =>
            {
                Ok(node)
            }
            _ => Err(Failure::NotATable(path.into())),
        }
    }

    fn pin(&self, node: Node, name: Option<&str>) -> Result<PathBuf> {
        use std::os::fd::AsFd;
        let link = match node {
            Node::File(file) => self.programs.link_as_text(file.instance())?,
            Node::User(file) => self.programs.link_of_user(file.table)?,
            _ => return Err(Failure::IsADirectory),
        };
        let own = self.pin_name(node);
        Ok(self.pins.add(name.unwrap_or(&own), link.as_fd())?)
    }

    /// Where a table is pinned if nothing else is said. A bpffs keeps names with a
    /// dot for itself.
    fn pin_name(&self, node: Node) -> String {
        let path = match node {
            Node::User(file) => {
                let tables = self.programs.user_tables();
                let found = tables.into_iter().find(|table| table.number == file.table);
                format!("user/{}", found.map(|table| table.name).unwrap_or_default())
            }
            Node::File(file) => file.path(),
            _ => String::new(),
        };
        path.replace('.', "_")
    }

    /// Pins every table that needs no parameter and is not pinned yet: all or none.
    fn pin_all(&self) -> Result<String> {
        let pinned: Vec<_> = self.pins.list()?.into_iter().map(|pin| pin.name).collect();
        let mut made = Vec::new();
        for file in whole_tables(&*self.programs) {
            let node = Node::File(file);
            let name = self.pin_name(node);
            if pinned.contains(&name) {
                continue;
            }
            match self.pin(node, None) {
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

    fn unpin(&self, path: Option<&str>) -> Result<String> {
        let pins = self.pins.list()?;
        let Some(path) = path else {
            for pin in &pins {
                self.pins.remove(&pin.name)?;
            }
            return Ok(format!("unpinned {}", counted(pins.len(), "link")));
        };
        // The table may be gone, so its path is not looked up.
        let own = path.replace('.', "_");
        let found: Vec<_> = pins
            .into_iter()
            .filter(|pin| pin.name == own || path_of(pin).as_deref() == Some(path))
            .collect();
        if found.is_empty() {
            return Err(Failure::NotPinned(path.into()));
        }
        for pin in &found {
            self.pins.remove(&pin.name)?;
        }
        Ok(format!("unpinned {path}"))
    }

    fn update(&self, path: &str, object: Option<&ObjectFile>) -> Result<String> {
        let node = self.resolve(path)?;
        match (node, object) {
            (Node::File(file), Some(object)) => {
                self.programs.update(Subject::Table(file.table), object)?;
            }
            (Node::File(file), None) => self.programs.restore(file.table)?,
            (Node::User(file), Some(object)) => {
                self.programs.update(Subject::User(file.table), object)?;
            }
            _ => return Err(Failure::NotATable(path.into())),
        }
        Ok(match object {
            Some(object) => format!("updated {path} from {}", object.path.display()),
            None => format!("{path} is back to its own program"),
        })
    }

    fn narrowing(&self, parameters: Parameters) -> Result<Narrowing> {
        Ok(match parameters {
            Parameters::None => Narrowing::Nothing,
            Parameters::Process(pid) => Narrowing::Process(pid),
            Parameters::Thread(tid) => Narrowing::Thread(tid),
            Parameters::Map(id) => Narrowing::Map(id),
            Parameters::Cgroup(path, order) => {
                let names = path.split('/').filter(|name| !name.is_empty());
                Narrowing::Cgroup(names.map(Into::into).collect(), order)
            }
        })
    }

    fn reload(&self) -> Result<String> {
        self.access.reload()?;
        if let Some(reloaded) = self.reloaded.get() {
            reloaded();
        }
        match &self.directory {
            Some(directory) => directory.lock().reload(&*self.programs),
            None => Ok("reloaded the configuration".into()),
        }
    }
}

/// What a path below the mount stands for, as the host sees it.
fn resolve(tables: &dyn iterfs_bpf::Tables, path: &str) -> Result<Node> {
    let missing = || Failure::NoTable(path.into());
    let mut node = Node::Directory(Directory::Root);
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let Node::Directory(directory) = node else {
            return Err(missing());
        };
        node = match directory.child(name) {
            Some(node) => node,
            None => live::find(tables, directory, OsStr::new(name))?.ok_or_else(missing)?,
        };
        let there = match node {
            Node::Directory(directory) => {
                live::exists(tables, &View::of(Caller::Daemon), directory)?
            }
            Node::File(file) => live::tables_in(tables, file.directory)?.contains(&file.table),
            Node::User(_) | Node::Control(_) | Node::NetNamespaceName(_) => true,
        };
        if !there {
            return Err(missing());
        }
    }
    Ok(node)
}

/// The text file of each table that is here and needs no parameter.
fn whole_tables(tables: &dyn iterfs_bpf::Tables) -> impl Iterator<Item = File> {
    let here = TableId::all().filter(|id| tables.present(*id));
    here.filter(|id| id.table().need == Need::Nothing)
        .filter_map(whole)
}

/// The text file that shows the whole of a table, where there is one.
fn whole(table: TableId) -> Option<File> {
    let mut directories = [Directory::Root]
        .into_iter()
        .chain(Directory::Root.directories());
    let directory = directories.find(|directory| directory.tables().any(|id| id == table))?;
    Some(File {
        directory,
        table,
        format: Format::Text,
    })
}

/// The path of the table that a pin shows, by its program's name and parameter.
fn path_of(pin: &Pin) -> Option<String> {
    let parameter = pin.parameter?;
    let named = |id: &TableId| {
        let table = id.table();
        let program = format!("dump_{}", table.object);
        // The kernel keeps 15 bytes of a program's name.
        table.target.name == pin.target && program.starts_with(&pin.program_name)
    };
    let mut tables = TableId::all().filter(named);
    let found = tables.find_map(|table| {
        let file = |directory| File {
            directory,
            table,
            format: Format::Text,
        };
        let file = match parameter {
            Parameter::None => whole(table)?,
            Parameter::Process(pid) => file(Directory::Process(pid)),
            Parameter::NetNamespace(inode) => file(Directory::NetNamespace(inode)),
            Parameter::Map(id) => file(Directory::Map(id)),
            Parameter::Cgroup(id, _) => file(Directory::Cgroup(id)),
        };
        (file.instance() == Instance { table, parameter }).then(|| file.path())
    });
    match found {
        Some(path) => Some(path),
        // One of a program that was brought is known by where it is pinned.
        None if pin.name.starts_with("user/") => Some(pin.name.clone()),
        None => None,
    }
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}
