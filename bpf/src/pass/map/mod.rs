//! What one map holds, as a table: `bpf/map/<id>/`.
//!
//! A program writes the bytes of keys and values; what they are only the map's own
//! BTF says. [`values`] goes through that ([`types`]), [`shape`] makes columns of it,
//! and [`walk`] takes the elements that are too long for an iterator.

mod shape;
mod sys;
mod types;
mod values;
mod walk;

use crate::load::libbpf_error::os_error;
use crate::pass::iterator::Iterator;
use crate::pass::readers::Settings;
use crate::program::Program;
use crate::program::attachment::Attachment;
use iterfs_mapping::View;
use iterfs_mapping::contract::{Pass, Source};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use libbpf_rs::btf::Btf;
use rustix::fs::{MemfdFlags, memfd_create};
use shape::Shape;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use walk::Walk;

/// An iterator's buffer (kernel/bpf/bpf_iter.c): a row must be shorter
/// (fs/seq_file.c, seq_write()).
const BUFFER: usize = 32 * 1024;

/// What a program can print a key or a value of (CHUNK of `programs/lib/map_bytes.h`).
const PRINTED: u32 = 4096;

/// Starts a pass over what the map of this id holds.
///
/// # Errors
/// [`Error::Map`] with the kernel's errno: ENOENT if there is no such map.
pub(crate) fn pass(program: &Program, id: u32, view: &View) -> Result<Pass> {
    let map = crate::sys::map_by_id(id).map_err(Error::Map)?;
    let info = sys::info(map.as_fd()).map_err(Error::Map)?;
    let template = program.schema().ok_or_else(|| Error::BadObject {
        object: format!("map {id}"),
        what: "its program has no row".into(),
    })?;
    let shape = shape_of(&map)?;
    let mut schema = shape.schema(template);
    if !view.addresses {
        schema.hide_addresses();
    }
    checked(id, &schema)?;

    // Of rows that are elements and nothing else, any length can be had.
    let source: Box<dyn Source> = if template.fixed_size == 0 && schema.fixed_size >= BUFFER {
        Box::new(Walk::new(map, &info, schema.fixed_size))
    } else {
        let settings = Settings {
            key_size: shape.key_bytes(),
            value_size: shape.value_bytes(),
            ..Settings::of(view)
        };
        let iterator = program.iterator(&Attachment::to_map(id, map))?;
        Box::new(Iterator::new(iterator, program.settings(settings)))
    };
    Ok(Pass {
        schema: Some(Arc::new(schema)),
        source,
        rest: Vec::new(),
        waits_for_processes: false,
    })
}

/// The map of this id, and what its rows are where a program prints them.
///
/// # Errors
/// As of [`pass`].
pub(crate) fn printed(template: &Schema, id: u32) -> Result<(OwnedFd, Schema)> {
    let map = crate::sys::map_by_id(id).map_err(Error::Map)?;
    let info = sys::info(map.as_fd()).map_err(Error::Map)?;
    let shape = shape_of(&map)?;
    let refused = |why| Err(Error::NoText(format!("bpf/map/{id}"), why));
    if shape.value_bytes() > info.value_size {
        return refused("a pin prints no per-cpu values");
    }
    if info.key_size.max(info.value_size) > PRINTED {
        return refused("its keys or values are longer than a pin prints");
    }
    let schema = shape.schema(template);
    checked(id, &schema)?;
    Ok((map, schema))
}

fn shape_of(map: &OwnedFd) -> Result<Shape> {
    let info = sys::info(map.as_fd()).map_err(Error::Map)?;
    let btf = match info.btf_id {
        0 => None,
        btf => Some(btf_by_id(btf)?),
    };
    Shape::of(&info, btf.as_ref())
}

fn checked(id: u32, schema: &Schema) -> Result<()> {
    schema.check().map_err(|what| Error::BadObject {
        object: format!("map {id}"),
        what,
    })
}

/// The types that describe a map.
fn btf_by_id(id: u32) -> Result<Btf<'static>> {
    let bytes = sys::btf_bytes(id).map_err(Error::Map)?;
    let file =
        memfd_create("btf", MemfdFlags::CLOEXEC).map_err(|errno| Error::Map(errno.into()))?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // libbpf takes types from files alone.
    std::fs::write(&path, bytes).map_err(Error::Map)?;
    Btf::from_path(&path).map_err(|error| Error::Map(os_error(&error)))
}
