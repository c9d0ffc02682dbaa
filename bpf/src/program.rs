//! A loaded program with its link: made at the first open of its table, then kept.

use crate::btf;
use crate::error::{Error, Result};
use crate::groups::{self, Groups};
use crate::object_file::ObjectFile;
use crate::programs;
use crate::reader::{self, Readers};
use crate::schema::Schema;
use crate::sys::{self, LinkTo};
use crate::verifier_log;
use iterfs_mapping::{Need, Subject};
use libbpf_rs::query::LinkInfo;
use libbpf_rs::{MapCore, Object, ObjectBuilder, OpenObject};
use parking_lot::Mutex;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// A program in the kernel, linked to its target.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    fd: OwnedFd,
    /// The link to everything, from which most iterators are made; none where
    /// the target must be told what to walk.
    link: Option<Arc<OwnedFd>>,
    /// What the kernel calls what it walks.
    target: String,
    schema: Option<Arc<Schema>>,
    readers: Option<Arc<Readers>>,
    /// The file it was brought in; none of one of ours.
    brought: Option<PathBuf>,
}

/// The `readers` map that the programs share, made by the first that declares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedReaders(Arc<Mutex<Option<Arc<Readers>>>>);

impl SharedReaders {
    fn get(&self, max_entries: u32, value_size: u32) -> Result<Arc<Readers>> {
        let mut readers = self.0.lock();
        match &*readers {
            Some(readers) => Ok(Arc::clone(readers)),
            None => Ok(Arc::clone(
                readers.insert(Readers::create(max_entries, value_size)?),
            )),
        }
    }
}

impl Program {
    /// Loads the program of an object of ours, and links it where nothing more is
    /// needed.
    pub(crate) fn load(
        name: &str,
        elf: &[u8],
        need: Need,
        shared: &SharedReaders,
    ) -> Result<Program> {
        let loaded = load(name, elf, None, None, shared)?;
        if loaded.schema.is_none() {
            return Err(bad(name, "no struct is marked as the row (ROW in row.h)"));
        }
        match need {
            Need::Nothing => loaded.linked(LinkTo::Everything, None),
            Need::Map(_) | Need::Cgroup(_) => Ok(loaded.with_link(None, None)),
        }
    }

    /// Loads a summary's program, and the map it counts in, with room for so many
    /// groups.
    pub(crate) fn load_counting(
        name: &str,
        elf: &[u8],
        room: Option<u32>,
        shared: &SharedReaders,
    ) -> Result<(Program, Groups)> {
        let mut loaded = load(name, elf, None, room, shared)?;
        let groups = loaded.groups.take();
        let groups = groups.ok_or_else(|| bad(name, "it declares no map of groups"))?;
        Ok((loaded.linked(LinkTo::Everything, None)?, groups))
    }

    /// Loads a program that was brought, and links it to what its walk is for.
    pub(crate) fn bring(
        file: &ObjectFile,
        to: LinkTo<'_>,
        shared: &SharedReaders,
    ) -> Result<Program> {
        let elf = file.read()?;
        load(&file.name(), &elf, file.program.as_deref(), None, shared)?
            .linked(to, Some(file.path.clone()))
    }

    /// Puts another program into this one's link: one brought in a file, or ours
    /// again.
    pub(crate) fn replaced(&self, loaded: Loaded, brought: Option<PathBuf>) -> Result<Program> {
        if loaded.target != self.target {
            return Err(Error::OtherTarget {
                needed: self.target.clone(),
                found: loaded.target,
            });
        }
        if let Some(link) = &self.link {
            sys::link_update(link.as_fd(), loaded.fd.as_fd()).map_err(|source| Error::Attach {
                object: loaded.name.clone(),
                source,
            })?;
        }
        Ok(loaded.with_link(self.link.clone(), brought))
    }

    /// Whether it is one of ours, not one that was brought.
    pub(crate) fn is_own(&self) -> bool {
        self.brought.is_none()
    }

    /// What the kernel tells of it.
    pub(crate) fn describe(
        &self,
        table: Subject,
        name: Option<String>,
    ) -> Result<programs::Loaded> {
        let failed = |source| Error::Attach {
            object: self.name.clone(),
            source,
        };
        let info = sys::program_info(self.fd.as_fd()).map_err(failed)?;
        let link = self
            .link
            .as_ref()
            .map(|link| LinkInfo::from_fd(link.as_fd()));
        Ok(programs::Loaded {
            table,
            name,
            target: self.target.clone(),
            object: self.brought.clone(),
            program: info.id,
            tag: info.tag,
            link: link.and_then(Result::ok).map(|link| link.id),
        })
    }

    /// The shape of its rows; none if it prints text itself.
    pub(crate) fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref()
    }

    /// The name of its target.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The map of its readers' settings, if it asks for them.
    pub(crate) fn readers(&self) -> Option<&Arc<Readers>> {
        self.readers.as_ref()
    }

    /// Its link, for a pin of which text is to be read.
    pub(crate) fn link_to_pin(&self) -> Result<OwnedFd> {
        let text = |what| Error::NoText(self.name.clone(), what);
        if self.schema.is_some() {
            return Err(text("its program writes records, not text"));
        }
        let link = self.link.as_ref().ok_or_else(|| text("it has no link"))?;
        link.try_clone().map_err(|source| Error::Attach {
            object: self.name.clone(),
            source,
        })
    }

    /// Makes an iterator: the pass begins with the first read of it.
    pub(crate) fn iterator(&self, to: LinkTo<'_>) -> Result<OwnedFd> {
        match (&self.link, to) {
            (Some(link), LinkTo::Everything) => sys::iterator_create(link.as_fd()),
            // The iterator holds the link, as a file does its directory.
            _ => sys::iterator_create(self.link(to)?.as_fd()),
        }
        .map_err(Error::Pass)
    }

    /// Makes a link of its own, for iterators over one thing.
    pub(crate) fn link(&self, to: LinkTo<'_>) -> Result<OwnedFd> {
        attach(&self.name, self.fd.as_fd(), to)
    }
}

/// A program in the kernel that is not linked yet.
pub(crate) struct Loaded {
    name: String,
    fd: OwnedFd,
    target: String,
    schema: Option<Arc<Schema>>,
    readers: Option<Arc<Readers>>,
    /// The map that it counts in, if it is a summary's.
    groups: Option<Groups>,
}

impl Loaded {
    fn linked(self, to: LinkTo<'_>, brought: Option<PathBuf>) -> Result<Program> {
        let link = attach(&self.name, self.fd.as_fd(), to)?;
        Ok(self.with_link(Some(Arc::new(link)), brought))
    }

    fn with_link(self, link: Option<Arc<OwnedFd>>, brought: Option<PathBuf>) -> Program {
        let Loaded {
            name,
            fd,
            target,
            schema,
            readers,
            groups: _,
        } = self;
        Program {
            name,
            fd,
            link,
            target,
            schema,
            readers,
            brought,
        }
    }
}

/// Loads the program of a file.
pub(crate) fn load_file(file: &ObjectFile, shared: &SharedReaders) -> Result<Loaded> {
    let elf = file.read()?;
    load(&file.name(), &elf, file.program.as_deref(), None, shared)
}

/// Loads one program of an object: the one named, or the only one there is.
pub(crate) fn load(
    name: &str,
    elf: &[u8],
    program: Option<&str>,
    room: Option<u32>,
    shared: &SharedReaders,
) -> Result<Loaded> {
    let schema = btf::schema_of(name, elf)?.map(Arc::new);
    let mut object = ObjectBuilder::default()
        .open_memory(elf)
        .map_err(|error| bad(name, &error.to_string()))?;
    let (program, target) = choose(name, &mut object, program)?;
    let readers = share_readers(&mut object, shared)?;
    if let Some(room) = room {
        make_room(&mut object, room).map_err(|error| bad(name, &error.to_string()))?;
    }
    let (loaded, log) = verifier_log::capture(|| sys::load(object));
    let object = loaded.map_err(|source| Error::Load {
        object: name.into(),
        source,
        log: verifier_log::reason(&log).into(),
        full: log,
    })?;
    let mut programs = object.progs();
    let program = programs
        .find(|found| found.name() == program)
        .ok_or_else(|| bad(name, "its program is lost"))?;
    let fd = program
        .as_fd()
        .try_clone_to_owned()
        .map_err(|source| Error::Attach {
            object: name.into(),
            source,
        })?;
    // The program keeps its maps; the rest of libbpf's object can go.
    Ok(Loaded {
        name: name.into(),
        fd,
        target,
        groups: schema
            .as_ref()
            .map_or(Ok(None), |schema| groups(name, &object, schema))?,
        schema,
        readers,
    })
}

fn groups(name: &str, object: &Object, schema: &Schema) -> Result<Option<Groups>> {
    let map = object.maps().find(|map| map.name() == groups::MAP_NAME);
    map.map(|map| Groups::of(name, &map, schema)).transpose()
}

/// Picks the program, keeps the others from being loaded, and says what it walks.
fn choose(name: &str, object: &mut OpenObject, wanted: Option<&str>) -> Result<(OsString, String)> {
    let programs: Vec<_> = object
        .progs()
        .map(|program| (program.name().to_owned(), target_of(program.section())))
        .collect();
    let walking = programs
        .iter()
        .filter_map(|(name, target)| Some((name, target.as_ref()?)));
    let names = || programs.iter().map(|(name, _)| name.display().to_string());
    let (chosen, target) = match wanted {
        Some(wanted) => {
            let found = programs.iter().find(|(name, _)| *name == *wanted);
            let (chosen, target) = found.ok_or_else(|| Error::NoProgram {
                object: name.into(),
                program: wanted.into(),
                there: names().collect(),
            })?;
            let no_iterator = || {
                bad(
                    name,
                    &format!("its program {wanted} is no iterator's (SEC(\"iter/...\"))"),
                )
            };
            (chosen, target.as_ref().ok_or_else(no_iterator)?)
        }
        None => {
            let walking: Vec<_> = walking.collect();
            match walking[..] {
                [only] => only,
                [] => {
                    return Err(bad(
                        name,
                        "it holds no program of an iterator (SEC(\"iter/...\"))",
                    ));
                }
                _ => {
                    let names: Vec<_> = names().collect();
                    let what = format!(
                        "it holds several programs; name one of {}",
                        names.join(", ")
                    );
                    return Err(bad(name, &what));
                }
            }
        }
    };
    for mut program in object.progs_mut() {
        let chosen = program.name() == chosen;
        program.set_autoload(chosen);
    }
    Ok((chosen.clone(), target.clone()))
}

/// What an iterator program walks: what follows `iter/` in its section.
fn target_of(section: &OsStr) -> Option<String> {
    let section = section.to_str()?.trim_start_matches('?');
    let target = ["iter/", "iter.s/"]
        .into_iter()
        .find_map(|prefix| section.strip_prefix(prefix))?;
    Some(target.to_owned())
}

fn bad(object: &str, what: &str) -> Error {
    Error::BadObject {
        object: object.into(),
        what: what.into(),
    }
}

fn share_readers(object: &mut OpenObject, shared: &SharedReaders) -> Result<Option<Arc<Readers>>> {
    for mut map in object.maps_mut() {
        // One that was brought may use the name for something else.
        if map.name() == reader::MAP_NAME && map.key_size() == reader::KEY_SIZE {
            let readers = shared.get(map.max_entries(), map.value_size())?;
            map.reuse_fd(readers.fd())
                .map_err(|error| Error::Reader(io::Error::other(error.to_string())))?;
            return Ok(Some(readers));
        }
    }
    Ok(None)
}

fn make_room(object: &mut OpenObject, room: u32) -> libbpf_rs::Result<()> {
    object
        .maps_mut()
        .filter(|map| map.name() == groups::MAP_NAME)
        .try_for_each(|mut map| map.set_max_entries(room))
}

fn attach(name: &str, program: BorrowedFd<'_>, to: LinkTo<'_>) -> Result<OwnedFd> {
    sys::link_create(program, to).map_err(|source| Error::Attach {
        object: name.into(),
        source,
    })
}
