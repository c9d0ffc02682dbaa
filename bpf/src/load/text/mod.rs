//! Loads a program in text mode: the program prints its rows itself, for a link that is pinned
//! in bpffs and read by anyone who opens the pin.
//!
//! The program's code is the same (`programs/lib/text.h`): it walks the columns, names and
//! header that this module stores in its maps. They come from a schema, laid out like the
//! daemon's own text format.

pub(crate) mod plan;

use crate::load::libbpf_error::os_error;
use crate::load::loader;
use crate::load::mode::Mode;
use crate::load::question::{self, Encoded};
use crate::pass::readers;
use crate::pass::thread_map::ThreadMap;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;
use libbpf_rs::{MapCore, MapFlags, MapType, Object, OpenObject};
use parking_lot::Mutex;
use plan::Plan;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// The function that the printer's loops need, available since 6.4.
const LOOPS: &str = "bpf_iter_num_new";

/// The map of the readers in text mode, created when the first program needs it. It evicts
/// entries that were not used for a long time, such as those of killed readers.
#[derive(Debug, Default)]
pub(crate) struct TextReaders(Mutex<Option<Arc<ThreadMap>>>);

impl TextReaders {
    fn share(&self, object: &mut OpenObject) -> Result<()> {
        for mut map in object.maps_mut() {
            if map.name() == readers::MAP_NAME {
                let mut readers = self.0.lock();
                let readers = match &*readers {
                    Some(readers) => readers,
                    None => readers.insert(ThreadMap::create(
                        MapType::LruHash,
                        readers::MAP_NAME,
                        map.max_entries(),
                        map.value_size(),
                    )?),
                };
                map.reuse_fd(readers.fd()).map_err(not_stored)?;
            }
        }
        Ok(())
    }
}

/// Loads the program of an object in text mode, to print rows of a schema: all of them, or those
/// for which a question asks.
///
/// # Errors
/// [`Error::NoTextMode`] if the kernel lacks the required function, and those of loading.
pub(crate) fn load_as_text(
    name: &str,
    elf: &[u8],
    schema: &Schema,
    question: Option<&Encoded>,
    readers: &TextReaders,
) -> Result<OwnedFd> {
    if !has_loops()? {
        return Err(Error::NoTextMode);
    }
    load_opened(name, loader::open(name, elf)?, schema, question, readers)
}

/// Loads an object that is already open.
pub(crate) fn load_opened(
    name: &str,
    mut object: OpenObject,
    schema: &Schema,
    question: Option<&Encoded>,
    readers: &TextReaders,
) -> Result<OwnedFd> {
    let bad = |what: String| Error::BadObject {
        object: name.into(),
        what,
    };
    let plan = Plan::new(schema).map_err(bad)?;
    let (program, _) = loader::choose(name, &mut object, None)?;
    if !Mode::text(question.is_some()).set(&mut object) {
        return Err(bad("it has no text mode".into()));
    }
    for mut map in object.maps_mut() {
        let map_name = map.name().to_string_lossy().into_owned();
        if map_name == question::MAP_NAME {
            // The program serves one pin, which has at most one question.
            match question {
                Some(_) => map
                    .set_type(MapType::Array)
                    .and_then(|()| map.set_max_entries(1)),
                None => map.set_autocreate(false),
            }
            .map_err(|error| loader::refused_object(name, &error))?;
        } else if let Some(entries) = plan.entries(&map_name) {
            let fits = entries
                .iter()
                .all(|entry| entry.len() == map.value_size() as usize);
            if !fits {
                return Err(bad(format!("its {map_name} is of another layout")));
            }
            map.set_max_entries(entries.len() as u32)
                .map_err(|error| loader::refused_object(name, &error))?;
        }
    }
    readers.share(&mut object)?;
    let object = loader::load_object(name, object)?;
    let stored = plan.store(&object).and_then(|()| match question {
        Some(question) => store(question, &object),
        None => Ok(()),
    });
    stored.map_err(|cause| Error::Load {
        object: name.into(),
        cause,
        log: "cannot store its columns".into(),
        full: String::new(),
    })?;
    loader::descriptor(name, &object, &program)
}

/// Stores the question of a pin.
fn store(question: &Encoded, object: &Object) -> io::Result<()> {
    let mut maps = object.maps();
    let map = maps.find(|map| map.name() == question::MAP_NAME);
    let map = map.ok_or(io::ErrorKind::NotFound)?;
    map.update(&0_u32.to_ne_bytes(), question.as_bytes(), MapFlags::ANY)
        .map_err(|error| os_error(&error))
}

fn has_loops() -> Result<bool> {
    let btf = Btf::from_vmlinux().map_err(|error| Error::NoBtf(error.to_string()))?;
    Ok(btf
        .type_by_kind::<Func<'_>>()
        .any(|function| function.name().is_some_and(|name| name == LOOPS)))
}

fn not_stored(error: libbpf_rs::Error) -> Error {
    Error::Reader(os_error(&error))
}
