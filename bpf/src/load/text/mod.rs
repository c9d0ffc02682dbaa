//! Loads a program in text mode: the program prints its rows itself, for a link that is pinned
//! in bpffs and read by anyone who opens the pin.
//!
//! The program's code is the same (`programs/lib/text.h`): it walks the columns, names and
//! header that this module stores in its maps. They come from a schema, laid out like the
//! daemon's own text format.

pub(crate) mod plan;

use crate::load::libbpf_error::os_error;
use crate::load::loader;
use crate::pass::readers::{self, Readers};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;
use libbpf_rs::{MapType, OpenObject};
use parking_lot::Mutex;
use plan::Plan;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The switch for text mode, which has its own section in `programs/lib/text.h`.
const MODE: &str = ".rodata.mode";

/// The function that the printer's loops need, available since 6.4.
const LOOPS: &str = "bpf_iter_num_new";

/// The map of the readers in text mode, created when the first program needs it. It evicts
/// entries that were not used for a long time, such as those of killed readers.
#[derive(Debug, Default)]
pub(crate) struct TextReaders(Mutex<Option<Arc<Readers>>>);

impl TextReaders {
    fn share(&self, object: &mut OpenObject) -> Result<()> {
        for mut map in object.maps_mut() {
            if map.name() == readers::MAP_NAME {
                let mut readers = self.0.lock();
                let readers = match &*readers {
                    Some(readers) => readers,
                    None => readers.insert(Readers::create(
                        MapType::LruHash,
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

/// Loads the program of an object in text mode, to print rows of a schema.
///
/// # Errors
/// [`Error::NoTextMode`] if the kernel lacks the required function, and those of loading.
pub(crate) fn load_as_text(
    name: &str,
    elf: &[u8],
    schema: &Schema,
    readers: &TextReaders,
) -> Result<OwnedFd> {
    if !has_loops()? {
        return Err(Error::NoTextMode);
    }
    load_opened(name, loader::open(name, elf)?, schema, readers)
}

/// Loads an object that is already open.
pub(crate) fn load_opened(
    name: &str,
    mut object: OpenObject,
    schema: &Schema,
    readers: &TextReaders,
) -> Result<OwnedFd> {
    let bad = |what: String| Error::BadObject {
        object: name.into(),
        what,
    };
    let plan = Plan::new(schema).map_err(bad)?;
    let (program, _) = loader::choose(name, &mut object, None)?;
    for mut map in object.maps_mut() {
        let map_name = map.name().to_string_lossy().into_owned();
        if map_name == MODE {
            let value = map.initial_value_mut().and_then(|value| value.get_mut(..4));
            let value = value.ok_or_else(|| bad("it has no text mode".into()))?;
            value.copy_from_slice(&1u32.to_ne_bytes());
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
    plan.store(&object).map_err(|cause| Error::Load {
        object: name.into(),
        cause,
        log: "cannot store its columns".into(),
        full: String::new(),
    })?;
    loader::descriptor(name, &object, &program)
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
