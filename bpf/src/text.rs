//! Loads a program in text mode: it prints its rows itself, for a link that is
//! pinned in bpffs and read by whoever opens the pin.
//!
//! The program is the same as ever (`programs/text.h`): it walks the columns,
//! names and header that are put here into its maps, from a schema, as text.rs
//! of the daemon's formats lays them out.

use crate::error::{Error, Result};
use crate::program;
use crate::reader::{self, Readers};
use crate::schema::{Column, Kind, Names, Schema, Unit};
use crate::sys;
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;
use libbpf_rs::{MapCore, MapType, Object, OpenObject};
use parking_lot::Mutex;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The switch; in `programs/text.h` it has a section of its own.
const MODE: &str = ".rodata.mode";
/// Maps that only text mode has.
const COLUMNS: &str = "text_columns";
const NAMES: &str = "text_names";
const HEADER: &str = "text_header";
const OTHERS: [&str; 2] = ["blank_reader", ".rodata.text"];

/// Characters in a piece of text; `PIECE_MAX` of `programs/text.h`.
const PIECE: usize = 52;
/// No cell is filled up with more blanks.
const WIDEST: usize = 64;

/// What the printer's loops go by, since 6.4.
const LOOPS: &str = "bpf_iter_num_new";

/// The map of those who read in text mode, made when the first program needs it.
/// It drops entries that were not used for long: those of readers that were
/// killed.
#[derive(Debug, Default)]
pub(crate) struct TextReaders(Mutex<Option<Arc<Readers>>>);

impl TextReaders {
    fn share(&self, object: &mut OpenObject) -> Result<()> {
        for mut map in object.maps_mut() {
            if map.name() == reader::MAP_NAME {
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

/// Leaves out of an object that is loaded to write records what prints.
pub(crate) fn leave_out(object: &mut OpenObject) -> libbpf_rs::Result<()> {
    for mut map in object.maps_mut() {
        let name = map.name().to_string_lossy();
        if [COLUMNS, NAMES, HEADER].contains(&&*name) || OTHERS.contains(&&*name) {
            map.set_autocreate(false)?;
        }
    }
    Ok(())
}

/// Loads the program of an object in text mode, to print rows of a schema.
///
/// # Errors
/// [`Error::NoTextMode`] if the kernel lacks what that takes, and those of
/// loading.
pub(crate) fn load_as_text(
    name: &str,
    elf: &[u8],
    schema: &Schema,
    readers: &TextReaders,
) -> Result<OwnedFd> {
    if !has_loops()? {
        return Err(Error::NoTextMode);
    }
    let bad = |what: String| Error::BadObject {
        object: name.into(),
        what,
    };
    let plan = Plan::new(schema).map_err(bad)?;
    let mut object = program::open(name, elf)?;
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
                .map_err(|error| bad(error.to_string()))?;
        }
    }
    readers.share(&mut object)?;
    let object = program::load(name, object)?;
    plan.store(&object)?;
    program::descriptor(name, &object)
}

fn has_loops() -> Result<bool> {
    let btf = Btf::from_vmlinux().map_err(|error| Error::NoBtf(error.to_string()))?;
    Ok(btf
        .type_by_kind::<Func<'_>>()
        .any(|function| function.name().is_some_and(|name| name == LOOPS)))
}

/// The entries of a program's maps that say how to print its rows.
#[derive(Debug, Default)]
struct Plan {
    columns: Vec<Vec<u8>>,
    names: Vec<Vec<u8>>,
    header: Vec<Vec<u8>>,
}

impl Plan {
    fn new(schema: &Schema) -> Result<Plan, String> {
        let mut plan = Plan::default();
        let mut header = String::new();
        for (index, column) in schema.columns.iter().enumerate() {
            let last = index + 1 == schema.columns.len();
            let (cell, right) = column.kind.shape();
            let cell = cell.max(column.name.len()).min(WIDEST);
            match (right, last) {
                (true, _) => header.push_str(&format!("{:>cell$}", column.name)),
                (false, false) => header.push_str(&format!("{:<cell$}", column.name)),
                (false, true) => header.push_str(&column.name),
            }
            header.push(if last { '\n' } else { ' ' });
            plan.add(column, cell, last)?;
        }
        plan.header = header
            .as_bytes()
            .chunks(PIECE)
            .map(|text| piece(0, text))
            .collect();
        if plan.names.is_empty() {
            // A map has at least one entry.
            plan.names.push(piece(0, b""));
        }
        Ok(plan)
    }

    fn add(&mut self, column: &Column, cell: usize, last: bool) -> Result<(), String> {
        let shift = match column.kind {
            Kind::Unsigned(_, Unit::Pages(shift)) => shift,
            _ => 0,
        };
        let none = Names::default();
        let names = match &column.kind {
            Kind::Name(_, names) | Kind::Flags(_, names) => names,
            _ => &none,
        };
        let first_name = self.names.len();
        for (value, name) in names.iter() {
            if name.len() > PIECE {
                return Err(format!("the name {name} is too long"));
            }
            self.names.push(piece(value, name.as_bytes()));
        }
        let may_be_absent = match column.kind {
            Kind::Unsigned(..) | Kind::Signed(_) | Kind::Hex(_) | Kind::Device | Kind::Ipv6 => {
                column.absent
            }
            _ => None,
        };
        // `struct text_column`, field by field.
        let mut entry = may_be_absent.unwrap_or(0).to_ne_bytes().to_vec();
        for field in [
            usize::from(may_be_absent.is_some()),
            kind(&column.kind),
            column.offset,
            column.kind.size(),
            shift as usize,
            cell,
            first_name,
            self.names.len() - first_name,
            usize::from(last),
            0,
        ] {
            let field = u32::try_from(field).map_err(|_| "the row is too large")?;
            entry.extend_from_slice(&field.to_ne_bytes());
        }
        self.columns.push(entry);
        Ok(())
    }

    /// What goes into the map of that name.
    fn entries(&self, map: &str) -> Option<&[Vec<u8>]> {
        match map {
            COLUMNS => Some(&self.columns),
            NAMES => Some(&self.names),
            HEADER => Some(&self.header),
            _ => None,
        }
    }

    fn store(&self, object: &Object) -> Result<()> {
        for map in object.maps() {
            let name = map.name().to_string_lossy();
            let entries = self.entries(&name).unwrap_or_default();
            for (index, entry) in entries.iter().enumerate() {
                let key = (index as u32).to_ne_bytes();
                sys::map_update(map.as_fd(), &key, entry).map_err(Error::Reader)?;
            }
        }
        Ok(())
    }
}

/// A `struct text_piece`.
fn piece(value: u64, text: &[u8]) -> Vec<u8> {
    let mut entry = value.to_ne_bytes().to_vec();
    entry.extend_from_slice(&(text.len() as u32).to_ne_bytes());
    entry.extend_from_slice(text);
    entry.resize(size_of::<u64>() + size_of::<u32>() + PIECE, 0);
    entry
}

/// The number that a kind has in `enum text_kind`.
fn kind(kind: &Kind) -> usize {
    match kind {
        Kind::Unsigned(..) => 0,
        Kind::Signed(_) => 1,
        Kind::Hex(_) => 2,
        Kind::Device => 3,
        Kind::Bool => 4,
        Kind::Name(..) => 5,
        Kind::Flags(..) => 6,
        Kind::Bytes(_) => 7,
        Kind::Text(_) => 8,
        Kind::Tail => 9,
        Kind::Ipv6 => 10,
        Kind::Inet => 11,
    }
}

fn not_stored(error: libbpf_rs::Error) -> Error {
    Error::Reader(io::Error::other(error.to_string()))
}
