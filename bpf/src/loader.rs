//! From the bytes of an object to a program in the kernel.

use crate::btf;
use crate::error::{Error, Result};
use crate::groups::{self, Groups};
use crate::object_file::ObjectFile;
use crate::objects;
use crate::reader::{self, Readers};
use crate::schema::Schema;
use crate::sys;
use crate::text::plan;
use crate::verifier_log;
use libbpf_rs::{MapCore, MapInfo, MapType, Object, ObjectBuilder, OpenObject};
use parking_lot::Mutex;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The `readers` map that the programs share, made by the first that declares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedReaders(Arc<Mutex<Option<Arc<Readers>>>>);

impl SharedReaders {
    fn get(&self, max_entries: u32, value_size: u32) -> Result<Arc<Readers>> {
        let mut readers = self.0.lock();
        match &*readers {
            Some(readers) => Ok(Arc::clone(readers)),
            None => Ok(Arc::clone(readers.insert(Readers::create(
                MapType::Hash,
                max_entries,
                value_size,
            )?))),
        }
    }
}

/// A program in the kernel that is not linked yet.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
    pub(crate) target: String,
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) readers: Option<Arc<Readers>>,
    /// The map that it counts in, if it is a summary's.
    pub(crate) groups: Option<Groups>,
}

/// How an object is loaded, where not as it says itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options<'a> {
    /// The program's name; if none is given, there is only one.
    pub(crate) program: Option<&'a str>,
    /// A map that is there already, for one that the object declares alike.
    pub(crate) map: Option<BorrowedFd<'a>>,
    /// How many groups the map of a summary has room for.
    pub(crate) room: Option<u32>,
}

/// Loads the program of a file, which may declare a map that is there already.
pub(crate) fn load_file(
    file: &ObjectFile,
    map: Option<BorrowedFd<'_>>,
    shared: &SharedReaders,
) -> Result<Loaded> {
    let options = Options {
        program: file.program.as_deref(),
        map,
        room: None,
    };
    load(&file.name(), &file.read()?, options, shared)
}

/// Loads one program of an object, to write records or, if it was brought, whatever
/// it writes.
pub(crate) fn load(
    name: &str,
    elf: &[u8],
    options: Options<'_>,
    shared: &SharedReaders,
) -> Result<Loaded> {
    let bad = |error: libbpf_rs::Error| bad_object(name, &error.to_string());
    let schema = btf::schema_of(name, elf)?.map(Arc::new);
    let mut object = open(name, elf)?;
    let (program, target) = choose(name, &mut object, options.program)?;
    plan::leave_out(&mut object).map_err(bad)?;
    let readers = share_readers(name, &mut object, shared)?;
    if let Some(map) = options.map {
        share_map(name, &mut object, map)?;
    }
    if let Some(room) = options.room {
        make_room(&mut object, room).map_err(bad)?;
    }
    let object = load_object(name, object)?;
    // The program keeps its maps; the rest of libbpf's object can go.
    Ok(Loaded {
        name: name.into(),
        fd: descriptor(name, &object, &program)?,
        target,
        groups: schema
            .as_ref()
            .map_or(Ok(None), |schema| groups(name, &object, schema))?,
        schema,
        readers,
    })
}

/// Takes an object's bytes apart, for changes before it is loaded.
pub(crate) fn open(name: &str, elf: &[u8]) -> Result<OpenObject> {
    ObjectBuilder::default()
        .name(name)
        .and_then(|builder| builder.open_memory(elf))
        .map_err(|error| bad_object(name, &error.to_string()))
}

/// Loads an object into the kernel; if that refuses it, the error says why.
pub(crate) fn load_object(name: &str, object: OpenObject) -> Result<Object> {
    let (loaded, log) = verifier_log::capture(|| sys::load(object));
    loaded.map_err(|source| Error::Load {
        object: name.into(),
        source,
        log: verifier_log::reason(&log).into(),
        full: log,
    })
}

/// A program of a loaded object, which it outlives.
pub(crate) fn descriptor(name: &str, object: &Object, program: &OsStr) -> Result<OwnedFd> {
    let program = object.progs().find(|found| found.name() == program);
    let program = program.ok_or_else(|| bad_object(name, "its program is lost"))?;
    program
        .as_fd()
        .try_clone_to_owned()
        .map_err(|source| Error::Attach {
            object: name.into(),
            source,
        })
}

/// Picks the program, keeps the others from being loaded, and says what it walks.
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
                bad_object(
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
                    return Err(bad_object(
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

/// What an iterator program walks: what follows `iter/` in its section.
fn target_of(section: &OsStr) -> Option<String> {
    let section = section.to_str()?.trim_start_matches('?');
    let target = ["iter/", "iter.s/"]
        .into_iter()
        .find_map(|prefix| section.strip_prefix(prefix))?;
    Some(target.to_owned())
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

/// Has the object use a map for the one that it declares alike: what walks a map
/// can then also change it.
fn share_map(name: &str, object: &mut OpenObject, map: BorrowedFd<'_>) -> Result<()> {
    let failed = |error: libbpf_rs::Error| bad_object(name, &error.to_string());
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

fn make_room(object: &mut OpenObject, room: u32) -> libbpf_rs::Result<()> {
    object
        .maps_mut()
        .filter(|map| map.name() == groups::MAP_NAME)
        .try_for_each(|mut map| map.set_max_entries(room))
}

fn groups(name: &str, object: &Object, schema: &Schema) -> Result<Option<Groups>> {
    let map = object.maps().find(|map| map.name() == groups::MAP_NAME);
    map.map(|map| Groups::of(name, &map, schema)).transpose()
}

pub(crate) fn bad_object(object: &str, what: &str) -> Error {
    Error::BadObject {
        object: object.into(),
        what: what.into(),
    }
}
