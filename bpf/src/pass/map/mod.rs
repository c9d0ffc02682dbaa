//! The contents of one map as a table: `bpf/map/<id>/`.
//!
//! A program writes the bytes of keys and values, and only the map's own BTF describes them.
//! [`values`] lists the values in those types ([`types`]), [`shape`] makes columns of them, and
//! [`element_walk`] reads the elements that are too long for an iterator.

mod element_walk;
mod shape;
mod sys;
mod types;
mod values;

use crate::load::libbpf_error::os_error;
use crate::load::question::Encoded;
use crate::pass::iterator::Iterator;
use crate::pass::readers::Settings;
use crate::program::Program;
use crate::program::attachment::Attachment;
use element_walk::ElementWalk;
use iterfs_mapping::View;
use iterfs_mapping::contract::{Pass, Source};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use libbpf_rs::btf::Btf;
use rustix::fs::{MemfdFlags, memfd_create};
use shape::Shape;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

/// The size of an iterator's buffer (kernel/bpf/bpf_iter.c). A row must be shorter
/// (fs/seq_file.c, seq_write()).
const BUFFER: usize = 32 * 1024;

/// The longest key or value that a program can print (CHUNK of `programs/lib/map_bytes.h`).
const PRINTED: u32 = 4096;

/// Starts a pass over the contents of the map with this id.
///
/// # Errors
/// [`Error::Map`] with the kernel's errno: ENOENT if no such map exists.
pub(crate) fn pass(
    program: &Program,
    id: u32,
    view: &View,
    question: Option<&Arc<Encoded>>,
) -> Result<Pass> {
    let map = crate::sys::map_by_id(id).map_err(Error::Map)?;
    let info = sys::info(map.as_fd()).map_err(Error::Map)?;
    let template = program.schema().ok_or_else(|| Error::BadObject {
        object: format!("map {id}"),
        what: "its program has no row".into(),
    })?;
    let shape = shape_of(&map)?;
    let schema = shown(&shape, template, id, view)?;

    // Rows that consist only of an element may have any length.
    let source: Box<dyn Source> = if template.fixed_size == 0 && schema.fixed_size >= BUFFER {
        Box::new(ElementWalk::new(map, &info, schema.fixed_size))
    } else {
        let settings = Settings {
            key_size: shape.key_bytes(),
            value_size: shape.value_bytes(),
            ..Settings::of(view)
        };
        let iterator = program.iterator(&Attachment::to_map(id, map))?;
        Box::new(Iterator::new(
            iterator,
            program.briefing(settings, question),
        ))
    };
    Ok(Pass {
        schema: Some(Arc::new(schema)),
        source,
        rest: Vec::new(),
        waits_for_processes: false,
        asked: None,
    })
}

/// The shape of the rows for the contents of the map with this id.
///
/// # Errors
/// As for [`pass`].
pub(crate) fn schema(template: &Schema, id: u32, view: &View) -> Result<Schema> {
    let map = crate::sys::map_by_id(id).map_err(Error::Map)?;
    shown(&shape_of(&map)?, template, id, view)
}

/// The rows of a map as a reader sees them.
fn shown(shape: &Shape, template: &Schema, id: u32, view: &View) -> Result<Schema> {
    let mut schema = shape.schema(template);
    if !view.addresses {
        schema.hide_addresses();
    }
    checked(id, &schema)?;
    Ok(schema)
}

/// The map with this id, and the schema of its rows when a program prints them.
///
/// # Errors
/// As for [`pass`].
pub(crate) fn printed(template: &Schema, id: u32) -> Result<(OwnedFd, Schema)> {
    let map = crate::sys::map_by_id(id).map_err(Error::Map)?;
    let info = sys::info(map.as_fd()).map_err(Error::Map)?;
    let shape = shape_of(&map)?;
    let refused = |why| Err(Error::NoText(format!("bpf/map/{id}"), why));
    if shape.value_bytes() > info.value_size {
        return refused("a pin cannot print per-cpu values");
    }
    if info.key_size.max(info.value_size) > PRINTED {
        return refused("its keys or values are too long for a pin");
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
    // libbpf reads types only from files.
    std::fs::write(&path, bytes).map_err(Error::Map)?;
    Btf::from_path(&path).map_err(|error| Error::Map(os_error(&error)))
}
