//! A loaded program with its link: made at the first open of its table, then kept.

use crate::btf;
use crate::error::{Error, Result};
use crate::reader::{self, Readers};
use crate::schema::Schema;
use crate::sys::{self, LinkTo};
use crate::text;
use crate::verifier_log;
use iterfs_mapping::Need;
use libbpf_rs::{MapType, Object, ObjectBuilder, OpenObject};
use parking_lot::Mutex;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A program in the kernel, linked to its target.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    fd: OwnedFd,
    /// The link to everything, from which most iterators are made; none where
    /// the target must be told what to walk.
    link: Option<OwnedFd>,
    schema: Arc<Schema>,
    readers: Option<Arc<Readers>>,
}

/// The `readers` map that the programs share, made by the first that declares it.
#[derive(Debug, Default)]
pub(crate) struct SharedReaders(Mutex<Option<Arc<Readers>>>);

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

impl Program {
    /// Loads the program of an object, and links it where nothing more is needed.
    pub(crate) fn load(
        name: &str,
        elf: &[u8],
        need: Need,
        shared: &SharedReaders,
    ) -> Result<Program> {
        let schema = Arc::new(btf::schema_of(name, elf)?);
        let mut object = open(name, elf)?;
        text::leave_out(&mut object).map_err(|error| bad_object(name, error.to_string()))?;
        let readers = share_readers(&mut object, shared)?;
        // The program keeps its maps; the rest of libbpf's object can go.
        let fd = descriptor(name, &load(name, object)?)?;

        let link = match need {
            Need::Nothing => Some(attach(name, fd.as_fd(), LinkTo::Everything)?),
            Need::Map(_) | Need::Cgroup(_) => None,
        };
        Ok(Program {
            name: name.into(),
            link,
            fd,
            schema,
            readers,
        })
    }

    /// The shape of its rows.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The map of its readers' settings, if it asks for them.
    pub(crate) fn readers(&self) -> Option<&Arc<Readers>> {
        self.readers.as_ref()
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

/// Takes an object's bytes apart, for changes before it is loaded.
pub(crate) fn open(name: &str, elf: &[u8]) -> Result<OpenObject> {
    ObjectBuilder::default()
        .name(name)
        .and_then(|builder| builder.open_memory(elf))
        .map_err(|error| bad_object(name, error.to_string()))
}

/// Loads an object into the kernel; if that refuses it, the error says why.
pub(crate) fn load(name: &str, object: OpenObject) -> Result<Object> {
    let (loaded, log) = verifier_log::capture(|| sys::load(object));
    loaded.map_err(|source| Error::Load {
        object: name.into(),
        source,
        log: verifier_log::reason(&log).into(),
    })
}

/// The program of a loaded object, which it outlives.
pub(crate) fn descriptor(name: &str, object: &Object) -> Result<OwnedFd> {
    let program = object.progs().next();
    let program = program.ok_or_else(|| bad_object(name, "it holds no program".into()))?;
    program
        .as_fd()
        .try_clone_to_owned()
        .map_err(|source| Error::Attach {
            object: name.into(),
            source,
        })
}

fn bad_object(name: &str, what: String) -> Error {
    Error::BadObject {
        object: name.into(),
        what,
    }
}

fn share_readers(object: &mut OpenObject, shared: &SharedReaders) -> Result<Option<Arc<Readers>>> {
    for mut map in object.maps_mut() {
        if map.name() == reader::MAP_NAME {
            let readers = shared.get(map.max_entries(), map.value_size())?;
            map.reuse_fd(readers.fd())
                .map_err(|error| Error::Reader(io::Error::other(error.to_string())))?;
            return Ok(Some(readers));
        }
    }
    Ok(None)
}

/// Links a program to what it is to walk.
pub(crate) fn attach(name: &str, program: BorrowedFd<'_>, to: LinkTo<'_>) -> Result<OwnedFd> {
    sys::link_create(program, to).map_err(|source| Error::Attach {
        object: name.into(),
        source,
    })
}
