//! Loads the bytes of an object as a program into the kernel.

use crate::load::libbpf_error::{is_shortage, os_error};
use crate::load::lockdown;
use crate::load::memory_nodes;
use crate::load::mode::Mode;
use crate::load::text::plan;
use crate::load::{objects, question, schemas};
use crate::pass::group_map::{self, Groups};
use crate::pass::readers;
use crate::pass::thread_map::ThreadMap;
use crate::sys;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;

use crate::load::verifier_log;
use libbpf_rs::{MapCore, MapType, Object, ObjectBuilder, OpenObject};
use parking_lot::Mutex;
use rustix::fs::OFlags;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The maps by thread that the programs share. The first program that declares one creates it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedMaps {
    readers: SharedMap,
    questions: SharedMap,
}

type SharedMap = Arc<Mutex<Option<Arc<ThreadMap>>>>;

impl SharedMaps {
    /// The map of readers as the built-in programs declare it; created if no program has created
    /// it yet.
    pub(crate) fn of_our_programs(&self) -> Result<Arc<ThreadMap>> {
        if let Some(readers) = &*self.readers.lock() {
            return Ok(Arc::clone(readers));
        }
        let missing = || bad_object("processes", "no built-in program declares a map of readers");
        let (max_entries, value_size) = own_readers().ok_or_else(missing)?;
        create_once(&self.readers, readers::MAP_NAME, max_entries, value_size)
    }
}

fn create_once(
    shared: &SharedMap,
    name: &'static str,
    max_entries: u32,
    value_size: u32,
) -> Result<Arc<ThreadMap>> {
    let mut shared = shared.lock();
    match &*shared {
        Some(map) => Ok(Arc::clone(map)),
        None => {
            let map = ThreadMap::create(MapType::Hash, name, max_entries, value_size)?;
            Ok(Arc::clone(shared.insert(map)))
        }
    }
}

/// A program in the kernel that is not linked yet.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
    pub(crate) target: String,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) readers: Option<Arc<ThreadMap>>,
    /// The map of questions, if the program was loaded to answer them.
    pub(crate) questions: Option<Arc<ThreadMap>>,
    /// The map that the program counts in, for a summary.
    pub(crate) groups: Option<Groups>,
}

/// Options that override the declarations of an object.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// The number of groups for which the map of a summary has room.
    pub(crate) room: Option<u32>,
    /// The form of the program.
    pub(crate) mode: Mode,
}

/// Loads the program of a built-in object, to write records.
pub(crate) fn load(
    name: &'static str,
    elf: &[u8],
    options: Options,
    shared: &SharedMaps,
) -> Result<Loaded> {
    let schema = schemas::of(name)?;
    load_opened(name, open(name, elf)?, schema, options, shared)
}

/// Loads an object that is already open, with its schema.
pub(crate) fn load_opened(
    name: &str,
    mut object: OpenObject,
    schema: Option<Arc<Schema>>,
    options: Options,
    shared: &SharedMaps,
) -> Result<Loaded> {
    let bad = |error: libbpf_rs::Error| refused_object(name, &error);
    let (program, target) = choose(name, &mut object, None)?;
    let asks = options.mode.asks();
    if asks && !options.mode.set(&mut object) {
        return Err(bad_object(name, "it cannot answer questions"));
    }
    plan::leave_out(&mut object, asks).map_err(bad)?;
    let readers = share(&mut object, readers::MAP_NAME, &shared.readers)?;
    let questions = match asks {
        true => share(&mut object, question::MAP_NAME, &shared.questions)?,
        false => None,
    };
    if let Some(room) = options.room {
        make_room(&mut object, room).map_err(bad)?;
    }
    let object = load_object(name, object)?;
    // The program keeps its maps alive, so the rest of libbpf's object can be freed.
    Ok(Loaded {
        name: name.into(),
        fd: descriptor(name, &object, &program)?,
        target,
        groups: schema
            .as_ref()
            .map_or(Ok(None), |schema| groups(name, &object, schema))?,
        schema,
        readers,
        questions,
    })
}

/// Opens an object from bytes, so that it can be changed before it is loaded.
pub(crate) fn open(name: &str, elf: &[u8]) -> Result<OpenObject> {
    open_with(ObjectBuilder::default(), name, elf)
}

/// Opens an object with libbpf options from `builder`.
pub(crate) fn open_with(mut builder: ObjectBuilder, name: &str, elf: &[u8]) -> Result<OpenObject> {
    check_descriptors(name)?;
    let opened = builder
        .name(name)
        .and_then(|builder| builder.open_memory(elf));
    let mut object = opened.map_err(|error| refused_object(name, &error))?;
    memory_nodes::tell(&mut object);
    Ok(object)
}

/// The number of descriptors that opening and loading an object may take at once: for its
/// programs, maps and types, and for libbpf's probes of the kernel.
const DESCRIPTORS: usize = 16;

/// Refuses to start loading when descriptors are short. If a libbpf probe fails for want of a
/// descriptor, libbpf concludes that the kernel lacks a feature, and caches that for the life
/// of the process.
fn check_descriptors(name: &str) -> Result<()> {
    let short = |errno: rustix::io::Errno| Error::Load {
        object: name.into(),
        cause: errno.into(),
        log: String::new(),
        full: String::new(),
    };
    let null =
        rustix::fs::open("/dev/null", OFlags::CLOEXEC, rustix::fs::Mode::empty()).map_err(short)?;
    let others = (1..DESCRIPTORS).map(|_| rustix::io::fcntl_dupfd_cloexec(&null, 0));
    others
        .collect::<Result<Vec<_>, _>>()
        .map(drop)
        .map_err(short)
}

/// Loads an object into the kernel. If the kernel refuses it, the error has the reason.
pub(crate) fn load_object(name: &str, object: OpenObject) -> Result<Object> {
    check_descriptors(name)?;
    let (loaded, log) = verifier_log::capture(|| sys::load(object));
    loaded.map_err(|cause| Error::Load {
        object: name.into(),
        log: lockdown::explain(&cause)
            .unwrap_or_else(|| verifier_log::reason(&log))
            .into(),
        cause,
        full: log,
    })
}

/// A descriptor of a program of a loaded object. It outlives the object.
pub(crate) fn descriptor(name: &str, object: &Object, program: &OsStr) -> Result<OwnedFd> {
    let program = object.progs().find(|found| found.name() == program);
    let program = program.ok_or_else(|| bad_object(name, "it contains no such program"))?;
    program
        .as_fd()
        .try_clone_to_owned()
        .map_err(|cause| Error::Attach {
            object: name.into(),
            cause,
        })
}

/// Chooses the program, keeps the others from being loaded, and returns its target.
pub(crate) fn choose(
    name: &str,
    object: &mut OpenObject,
    wanted: Option<&str>,
) -> Result<(OsString, String)> {
    let programs: Vec<_> = object
        .progs()
        .map(|program| (program.name().to_owned(), target_of(program.section())))
        .collect();
    let walking = programs
        .iter()
        .filter_map(|(name, target)| Some((name, target.as_ref()?)));
    let names = || {
        let walking = walking.clone();
        walking.map(|(name, _)| name.display().to_string())
    };
    let (chosen, target) = match wanted {
        Some(wanted) => {
            let found = programs.iter().find(|(name, _)| *name == *wanted);
            let (chosen, target) = found.ok_or_else(|| Error::NoProgram {
                object: name.into(),
                program: wanted.into(),
                there: names().collect(),
            })?;
            let no_iterator = || {
                bad_object(
                    name,
                    &format!("its program {wanted} is not an iterator program (SEC(\"iter/...\"))"),
                )
            };
            (chosen, target.as_ref().ok_or_else(no_iterator)?)
        }
        None => {
            let walking: Vec<_> = walking.clone().collect();
            match walking[..] {
                [only] => only,
                [] => {
                    return Err(bad_object(
                        name,
                        "it has no iterator program (SEC(\"iter/...\"))",
                    ));
                }
                _ => {
                    let names: Vec<_> = names().collect();
                    let what = format!(
                        "it has several iterator programs; name one of {}",
                        names.join(", ")
                    );
                    return Err(bad_object(name, &what));
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

/// The target of an iterator program: the part after `iter/` in its section name.
fn target_of(section: &OsStr) -> Option<String> {
    let section = section.to_str()?.trim_start_matches('?');
    let target = ["iter/", "iter.s/"]
        .into_iter()
        .find_map(|prefix| section.strip_prefix(prefix))?;
    Some(target.to_owned())
}

/// Makes an object use the shared map of this name, if it declares one.
fn share(
    object: &mut OpenObject,
    name: &'static str,
    shared: &SharedMap,
) -> Result<Option<Arc<ThreadMap>>> {
    for mut map in object.maps_mut() {
        if map.name() == name {
            let there = create_once(shared, name, map.max_entries(), map.value_size())?;
            map.reuse_fd(there.fd())
                .map_err(|error| Error::Reader(os_error(&error)))?;
            return Ok(Some(there));
        }
    }
    Ok(None)
}

/// The number and the size of the entries in the map `readers` of the built-in programs.
pub(crate) fn own_readers() -> Option<(u32, u32)> {
    let elf = objects::names().filter_map(objects::find);
    elf.filter_map(|elf| {
        let object = ObjectBuilder::default().open_memory(elf).ok()?;
        let mut maps = object.maps();
        let map = maps.find(|map| map.name() == readers::MAP_NAME)?;
        Some((map.max_entries(), map.value_size()))
    })
    .next()
}

fn make_room(object: &mut OpenObject, room: u32) -> libbpf_rs::Result<()> {
    object
        .maps_mut()
        .filter(|map| map.name() == group_map::MAP_NAME)
        .try_for_each(|mut map| map.set_max_entries(room))
}

fn groups(name: &str, object: &Object, schema: &Schema) -> Result<Option<Groups>> {
    let map = object.maps().find(|map| map.name() == group_map::MAP_NAME);
    map.map(|map| Groups::of(name, &map, schema)).transpose()
}

/// The error for an object that libbpf refused, unless the cause is a shortage on the machine
/// and not the object.
pub(crate) fn refused_object(object: &str, error: &libbpf_rs::Error) -> Error {
    let cause = os_error(error);
    match is_shortage(&cause) {
        true => Error::Load {
            object: object.into(),
            cause,
            log: String::new(),
            full: String::new(),
        },
        false => bad_object(object, &error.to_string()),
    }
}

pub(crate) fn bad_object(object: &str, what: &str) -> Error {
    Error::BadObject {
        object: object.into(),
        what: what.into(),
    }
}
