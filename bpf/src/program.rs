//! A loaded program with its link: made at the first open of its table, then kept.

use crate::btf;
use crate::error::{Error, Result};
use crate::groups::{self, Groups};
use crate::reader::{self, Readers};
use crate::schema::Schema;
use crate::sys::{self, LinkTo};
use crate::verifier_log;
use iterfs_mapping::Need;
use libbpf_rs::{MapCore, ObjectBuilder, OpenObject};
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
    /// Loads the program of an object, and links it where nothing more is needed.
    ///
    /// With it comes the map that it counts in, if it is a summary's; that has room
    /// for `room` groups, or for as many as the object says.
    pub(crate) fn load(
        name: &str,
        elf: &[u8],
        need: Need,
        shared: &SharedReaders,
        room: Option<u32>,
    ) -> Result<(Program, Option<Groups>)> {
        let schema = Arc::new(btf::schema_of(name, elf)?);
        let mut object =
            ObjectBuilder::default()
                .open_memory(elf)
                .map_err(|error| Error::BadObject {
                    object: name.into(),
                    what: error.to_string(),
                })?;
        let readers = share_readers(&mut object, shared)?;
        if let Some(room) = room {
            make_room(&mut object, room).map_err(|error| Error::BadObject {
                object: name.into(),
                what: error.to_string(),
            })?;
        }
        let (loaded, log) = verifier_log::capture(|| sys::load(object));
        let object = loaded.map_err(|source| Error::Load {
            object: name.into(),
            source,
            log: verifier_log::reason(&log).into(),
        })?;

        let fd = object
            .progs()
            .next()
            .ok_or_else(|| Error::BadObject {
                object: name.into(),
                what: "it holds no program".into(),
            })?
            .as_fd()
            .try_clone_to_owned()
            .map_err(|source| Error::Attach {
                object: name.into(),
                source,
            })?;
        let groups = object
            .maps()
            .find(|map| map.name() == groups::MAP_NAME)
            .map(|map| Groups::of(name, &map, &schema))
            .transpose()?;
        // The program keeps its maps; the rest of libbpf's object can go.
        drop(object);

        let link = match need {
            Need::Nothing => Some(attach(name, fd.as_fd(), LinkTo::Everything)?),
            Need::Map(_) | Need::Cgroup(_) => None,
        };
        let program = Program {
            name: name.into(),
            link,
            fd,
            schema,
            readers,
        };
        Ok((program, groups))
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
