//! A loaded program with its link: made at the first open of its table, then kept.

use crate::btf;
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::object_file::ObjectFile;
use crate::objects;
use crate::programs;
use crate::reader::{self, Readers};
use crate::schema::Schema;
use crate::sys::{self, LinkTo};
use crate::verifier_log;
use iterfs_mapping::{Need, Parameter, Subject};
use libbpf_rs::query::LinkInfo;
use libbpf_rs::{MapInfo, ObjectBuilder, OpenObject};
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
#[derive(Debug, Default)]
pub(crate) struct SharedReaders(Mutex<Option<Arc<Readers>>>);

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
        let loaded = load(name, elf, None, shared)?;
        if loaded.schema.is_none() {
            return Err(bad(name, "no struct is marked as the row (ROW in row.h)"));
        }
        match need {
            Need::Nothing => loaded.linked(LinkTo::Everything, None),
            Need::Map(_) | Need::Cgroup(_) => Ok(loaded.with_link(None, None)),
        }
    }

    /// Loads a program that was brought, and links it to what its walk is for.
    pub(crate) fn bring(
        file: &ObjectFile,
        to: LinkTo<'_>,
        shared: &SharedReaders,
    ) -> Result<Program> {
        let elf = file.read()?;
        let map = match to {
            LinkTo::Map(map) => Some(map),
            _ => None,
        };
        let program = file.program.as_deref();
        let loaded = load_with(&file.name(), &elf, program, map, shared)?;
        check_narrowing(&loaded.target, to)?;
        loaded.linked(to, Some(file.path.clone()))
    }

    /// Puts another program into this one's link and into the pinned ones: one
    /// brought in a file, or ours again. If one of them refuses it, none has it.
    pub(crate) fn replaced(
        &self,
        loaded: Loaded,
        brought: Option<PathBuf>,
        pinned: &[Pinned<'_>],
    ) -> Result<Program> {
        if loaded.target != self.target {
            return Err(Error::OtherTarget {
                needed: self.target.clone(),
                found: loaded.target,
            });
        }
        let mut exchange = Exchange::default();
        if let Some(link) = &self.link {
            exchange.put(&loaded.name, link.as_fd(), loaded.fd.as_fd())?;
        }
        for pin in pinned {
            let program = pin.program.as_ref().unwrap_or(&loaded.fd);
            exchange.put(&loaded.name, pin.link, program.as_fd())?;
        }
        exchange.keep();
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

    /// A new link that is narrowed so, for a pin of which text is to be read.
    pub(crate) fn link_as_text(&self, parameter: Parameter) -> Result<OwnedFd> {
        let text = |what| Error::NoText(self.name.clone(), what);
        if self.schema.is_some() {
            return Err(text("its program writes records, not text"));
        }
        let to = match parameter {
            Parameter::None => LinkTo::Everything,
            Parameter::Process(process) => LinkTo::Process(process),
            Parameter::Cgroup(id, order) => LinkTo::Cgroup(id, order),
            Parameter::Map(id) => {
                let map = sys::map_by_id(id).map_err(|source| Error::Map { id, source })?;
                return attach(&self.name, self.fd.as_fd(), LinkTo::Map(map.as_fd()));
            }
        };
        attach(&self.name, self.fd.as_fd(), to)
    }

    /// Makes an iterator: the pass begins with the first read of it.
    pub(crate) fn iterator(&self, to: LinkTo<'_>) -> Result<OwnedFd> {
        match (&self.link, to) {
            (Some(link), LinkTo::Everything) => sys::iterator_create(link.as_fd()),
            // The iterator holds the link, as a file does its directory.
            _ => sys::iterator_create(attach(&self.name, self.fd.as_fd(), to)?.as_fd()),
        }
        .map_err(Error::Pass)
    }
}

/// A program in the kernel that is not linked yet.
pub(crate) struct Loaded {
    name: String,
    fd: OwnedFd,
    target: String,
    schema: Option<Arc<Schema>>,
    readers: Option<Arc<Readers>>,
}

/// A pinned link of a table, and what it is to run: the table's program itself if
/// none is given.
pub(crate) struct Pinned<'a> {
    pub(crate) link: BorrowedFd<'a>,
    pub(crate) program: Option<OwnedFd>,
}

impl Loaded {
    /// Whether what it writes is for the daemon to format.
    pub(crate) fn writes_records(&self) -> bool {
        self.schema.is_some()
    }

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
    load(&file.name(), &elf, file.program.as_deref(), shared)
}

/// Loads one program of an object: the one named, or the only one there is.
pub(crate) fn load(
    name: &str,
    elf: &[u8],
    program: Option<&str>,
    shared: &SharedReaders,
) -> Result<Loaded> {
    load_with(name, elf, program, None, shared)
}

/// The same, of an object that may declare a map which is there already.
fn load_with(
    name: &str,
    elf: &[u8],
    program: Option<&str>,
    map: Option<BorrowedFd<'_>>,
    shared: &SharedReaders,
) -> Result<Loaded> {
    let schema = btf::schema_of(name, elf)?.map(Arc::new);
    let mut object = ObjectBuilder::default()
        .open_memory(elf)
        .map_err(|error| bad(name, &error.to_string()))?;
    let (program, target) = choose(name, &mut object, program)?;
    let readers = share_readers(name, &mut object, shared)?;
    if let Some(map) = map {
        share_map(name, &mut object, map)?;
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
        schema,
        readers,
    })
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

fn share_readers(
    name: &str,
    object: &mut OpenObject,
    shared: &SharedReaders,
) -> Result<Option<Arc<Readers>>> {
    // One that was brought may use the name for something else.
    let brought = objects::find(name).is_none();
    for mut map in object.maps_mut() {
        if map.name() == reader::MAP_NAME
            && map.key_size() == reader::KEY_SIZE
            && (!brought || own_readers() == Some((map.max_entries(), map.value_size())))
        {
            let readers = shared.get(map.max_entries(), map.value_size())?;
            map.reuse_fd(readers.fd())
                .map_err(|error| Error::Reader(io::Error::other(error.to_string())))?;
            return Ok(Some(readers));
        }
    }
    Ok(None)
}

/// Whether a target is narrowed so. The kernel does not tell: it takes what another
/// target is narrowed by for its own, or for nothing (include/uapi/linux/bpf.h,
/// union bpf_iter_link_info).
fn check_narrowing(target: &str, to: LinkTo<'_>) -> Result<()> {
    let (what, targets): (_, &[&str]) = match to {
        LinkTo::Everything => return Ok(()),
        LinkTo::Process(_) => ("a process", &["task", "task_file", "task_vma"]),
        LinkTo::Thread(_) => ("a thread", &["task", "task_file", "task_vma"]),
        LinkTo::Map(_) => ("a map", &["bpf_map_elem", "bpf_sk_storage_map", "sockmap"]),
        LinkTo::Cgroup(..) => ("a cgroup", &["cgroup"]),
    };
    match targets.contains(&target) {
        true => Ok(()),
        false => Err(Error::Narrowing(target.into(), what)),
    }
}

/// Has the object use a map for the one that it declares alike: what walks a map
/// can then also change it.
fn share_map(name: &str, object: &mut OpenObject, map: BorrowedFd<'_>) -> Result<()> {
    let failed = |error: libbpf_rs::Error| bad(name, &error.to_string());
    let there = MapInfo::new(map).map_err(failed)?;
    let shape = (there.map_type(), there.info.key_size, there.info.value_size);
    for mut declared in object.maps_mut() {
        let declared_shape = (
            declared.map_type(),
            declared.key_size(),
            declared.value_size(),
        );
        let called = declared.name().as_encoded_bytes();
        let called = &called[..called.len().min(sys::OBJECT_NAME)];
        if declared_shape == shape && there.name().map_err(failed)?.as_bytes() == called {
            declared.reuse_fd(map).map_err(failed)?;
        }
    }
    Ok(())
}

/// How many entries of which size the map `readers` of our own programs has.
fn own_readers() -> Option<(u32, u32)> {
    let elf = objects::names().filter_map(objects::find);
    elf.filter_map(|elf| {
        let object = ObjectBuilder::default().open_memory(elf).ok()?;
        let mut maps = object.maps();
        let map = maps.find(|map| map.name() == reader::MAP_NAME)?;
        Some((map.max_entries(), map.value_size()))
    })
    .next()
}

fn attach(name: &str, program: BorrowedFd<'_>, to: LinkTo<'_>) -> Result<OwnedFd> {
    sys::link_create(program, to).map_err(|source| Error::Attach {
        object: name.into(),
        source,
    })
}
