//! Loads the program of a user's object into the kernel, in the process that
//! [`crate::load::object_process`] starts for it.

use crate::load::btf;
use crate::load::loader;
use crate::load::object_file;
use crate::load::probe;
use crate::load::text::plan;
use crate::load::verifier_log;
use crate::pass::{readers, thread_map};
use crate::sys;
use iterfs_mapping::contract::ObjectFile;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::layout;
use iterfs_mapping::row::Schema;
use libbpf_rs::{MapInfo, OpenObject};
use std::os::fd::{BorrowedFd, OwnedFd};

/// A program in the kernel, with the facts about it.
pub(crate) struct Prepared {
    pub(crate) fd: OwnedFd,
    pub(crate) target: String,
    pub(crate) schema: Option<Schema>,
    /// Whether the program looks its reader up in the map of readers.
    pub(crate) reads_readers: bool,
}

/// Loads the program of a file, whether it writes records or prints text. The program shares
/// the map of `readers` if it declares that map as the built-in programs do, and `map` if it
/// declares a map of the same shape.
pub(crate) fn prepare(
    file: &ObjectFile,
    readers: BorrowedFd<'_>,
    map: Option<BorrowedFd<'_>>,
) -> Result<Prepared> {
    let name = &file.name();
    let bad = |error: libbpf_rs::Error| loader::refused_object(name, &error);
    let elf = object_file::read(file)?;
    let mut object = open(name, &elf)?;
    let schema = btf::schema_of(name, &elf)?;
    let (program, target) = loader::choose(name, &mut object, file.program.as_deref())?;
    plan::leave_out(&mut object, false).map_err(bad)?;
    let reads_readers = share_readers(&mut object, readers).map_err(bad)?;
    if let Some(map) = map {
        share_map(name, &mut object, map)?;
    }
    let object = loader::load_object(name, object).map_err(|error| explained(error, &target))?;
    // The program keeps its maps alive, so the rest of libbpf's object can be freed.
    Ok(Prepared {
        fd: loader::descriptor(name, &object, &program)?,
        target,
        schema,
        reads_readers,
    })
}

/// Names the target if the kernel lacks it. libbpf looks it up in the kernel's BTF, where the
/// search for a type fails with ESRCH.
fn explained(error: Error, target: &str) -> Error {
    let target = layout::targets().find(|known| known.name == target);
    match (error, target) {
        (Error::Load { cause, .. }, Some(target))
            if cause.raw_os_error() == Some(libc::ESRCH) && !probe::has_target(target) =>
        {
            Error::NoTarget(target)
        }
        (error, _) => error,
    }
}

/// Opens an object. The error includes libbpf's messages.
fn open(name: &str, elf: &[u8]) -> Result<OpenObject> {
    let (opened, log) = verifier_log::capture(|| loader::open(name, elf));
    opened.map_err(|error| match (error, log.trim_end().lines().last()) {
        (Error::BadObject { object, what }, Some(said)) => Error::BadObject {
            object,
            what: format!("{what} ({said})"),
        },
        (error, _) => error,
    })
}

/// Makes the object use the shared map of readers. The shape of the declaration must match too:
/// an object may use the name for something else.
fn share_readers(object: &mut OpenObject, readers: BorrowedFd<'_>) -> libbpf_rs::Result<bool> {
    for mut map in object.maps_mut() {
        if map.name() == readers::MAP_NAME
            && map.key_size() == thread_map::KEY_SIZE
            && loader::own_readers() == Some((map.max_entries(), map.value_size()))
        {
            map.reuse_fd(readers)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes the object use `map` for a map that it declares with the same shape, so that a program
/// that walks the map can also change it.
fn share_map(name: &str, object: &mut OpenObject, map: BorrowedFd<'_>) -> Result<()> {
    let failed = |error: libbpf_rs::Error| loader::refused_object(name, &error);
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
