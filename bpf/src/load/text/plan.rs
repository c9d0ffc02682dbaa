//! Translates a schema into the entries that the text printer walks
//! (`programs/lib/text/column.h`).

use crate::load::libbpf_error::os_error;
use crate::load::{mode, question};
use iterfs_mapping::row::{Cell, Column, Kind, Names, Schema, Unit};
use libbpf_rs::{MapCore, MapFlags, Object, OpenObject};
use std::io;

/// The maps that a plan fills.
const MAPS: [&str; 3] = [COLUMNS, NAMES, HEADER];
const COLUMNS: &str = "text_columns";
const NAMES: &str = "text_names";
const HEADER: &str = "text_header";

/// Other maps that only text mode needs.
const OTHERS: [&str; 2] = ["blank_reader", ".rodata.text"];

/// The number of bytes in a piece of text; `PIECE_MAX` of `programs/lib/text/column.h`.
const PIECE: usize = 52;

/// Leaves the printer's maps out of an object that is loaded to write records, and the map of
/// questions unless it `asks`.
pub(crate) fn leave_out(object: &mut OpenObject, asks: bool) -> libbpf_rs::Result<()> {
    // Another object may use the name for something else.
    let leave_questions = !asks && mode::has_forms(object);
    for mut map in object.maps_mut() {
        let name = map.name().to_string_lossy();
        let of_text = MAPS.contains(&&*name) || OTHERS.contains(&&*name);
        if of_text || (leave_questions && name == question::MAP_NAME) {
            map.set_autocreate(false)?;
        }
    }
    Ok(())
}

/// The entries of a program's maps that describe how to print its rows.
#[derive(Debug, Default)]
pub(super) struct Plan {
    columns: Vec<Vec<u8>>,
    names: Vec<Vec<u8>>,
    header: Vec<Vec<u8>>,
}

impl Plan {
    /// Lays out the columns of a schema as the daemon's text format does.
    pub(super) fn new(schema: &Schema) -> Result<Plan, String> {
        let mut plan = Plan::default();
        let mut header = String::new();
        for (cell, column) in schema.cells().zip(&schema.columns) {
            let (name, width) = (&column.name, cell.width);
            match cell.right {
                true => header.push_str(&format!("{name:>width$}")),
                false => header.push_str(&format!("{name:<width$}")),
            }
            header.push(char::from(cell.end()));
            plan.add(column, cell)?;
        }
        plan.header = header
            .as_bytes()
            .chunks(PIECE)
            .map(|text| piece(0, text))
            .collect();
        if plan.names.is_empty() {
            // A map must have at least one entry.
            plan.names.push(piece(0, b""));
        }
        Ok(plan)
    }

    fn add(&mut self, column: &Column, cell: Cell) -> Result<(), String> {
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
            Kind::Tail | Kind::Text(_) | Kind::Inet => None,
            _ => column.absent,
        };
        // The members of `struct text_column`, in order.
        let mut entry = may_be_absent.unwrap_or(0).to_ne_bytes().to_vec();
        for field in [
            usize::from(may_be_absent.is_some()),
            kind(&column.kind).ok_or_else(|| format!("{} cannot be printed", column.name))?,
            column.offset,
            column.kind.size(),
            shift as usize,
            cell.width,
            first_name,
            self.names.len() - first_name,
            usize::from(cell.is_last),
            0,
        ] {
            let field = u32::try_from(field).map_err(|_| "the row is too large")?;
            entry.extend_from_slice(&field.to_ne_bytes());
        }
        self.columns.push(entry);
        Ok(())
    }

    /// The entries of the map with this name.
    pub(super) fn entries(&self, map: &str) -> Option<&[Vec<u8>]> {
        match map {
            COLUMNS => Some(&self.columns),
            NAMES => Some(&self.names),
            HEADER => Some(&self.header),
            _ => None,
        }
    }

    /// Fills the maps of a loaded object.
    pub(super) fn store(&self, object: &Object) -> io::Result<()> {
        for map in object.maps() {
            let name = map.name().to_string_lossy();
            let entries = self.entries(&name).unwrap_or_default();
            for (index, entry) in entries.iter().enumerate() {
                let key = (index as u32).to_ne_bytes();
                map.update(&key, entry, MapFlags::ANY)
                    .map_err(|error| os_error(&error))?;
            }
        }
        Ok(())
    }
}

/// The bytes of a `struct text_piece`.
fn piece(value: u64, text: &[u8]) -> Vec<u8> {
    let mut entry = value.to_ne_bytes().to_vec();
    entry.extend_from_slice(&(text.len() as u32).to_ne_bytes());
    entry.extend_from_slice(text);
    entry.resize(size_of::<u64>() + size_of::<u32>() + PIECE, 0);
    entry
}

/// The number of a kind in `enum text_kind`; none if the kind cannot be printed.
fn kind(kind: &Kind) -> Option<usize> {
    Some(match kind {
        Kind::Unsigned(..) => 0,
        Kind::Signed(_) => 1,
        Kind::Hex(_) | Kind::Pointer { .. } => 2,
        Kind::Device => 3,
        Kind::Bool => 4,
        Kind::Name(..) => 5,
        Kind::Flags(..) => 6,
        Kind::Bytes(_) => 7,
        Kind::Text(_) => 8,
        Kind::Tail => 9,
        Kind::Ipv6 => 10,
        Kind::Inet => 11,
        Kind::Bits(..) | Kind::Float(_) | Kind::MapKey | Kind::MapValue => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::btf;
    use crate::load::objects;
    use iterfs_mapping::row::Width;
    use libbpf_rs::btf::Btf;
    use libbpf_rs::btf::types::Enum;

    #[test]
    fn the_kinds_are_numbered_as_in_the_programs() {
        let elf = objects::find("files").unwrap();
        let btf = Btf::from_raw("files", elf).unwrap().unwrap();
        let list: Enum<'_> = btf.type_by_name("text_kind").unwrap();
        let four = Width::Four;
        let kinds = [
            ("unsigned", Kind::Unsigned(four, Unit::None)),
            ("signed", Kind::Signed(four)),
            ("hex", Kind::Hex(four)),
            ("device", Kind::Device),
            ("bool", Kind::Bool),
            ("name", Kind::Name(four, Names::default())),
            ("flags", Kind::Flags(four, Names::default())),
            ("bytes", Kind::Bytes(8)),
            ("text", Kind::Text(16)),
            ("tail", Kind::Tail),
            ("ipv6", Kind::Ipv6),
            ("inet", Kind::Inet),
        ];
        assert_eq!(list.iter().count(), kinds.len());
        for (variant, (name, kind)) in list.iter().zip(&kinds) {
            assert_eq!(
                variant.name.unwrap().to_str().unwrap(),
                format!("text_kind__{name}")
            );
            assert_eq!(variant.value, super::kind(kind).unwrap() as i64, "{name}");
        }
    }

    #[test]
    fn every_table_fits_the_printer() {
        for name in objects::names() {
            let schema = btf::schema_of(name, objects::find(name).unwrap());
            let schema = schema.unwrap().unwrap();
            // The columns of a map's contents depend on the map.
            let of_map = |column: &Column| matches!(column.kind, Kind::MapKey | Kind::MapValue);
            if schema.columns.iter().any(of_map) {
                continue;
            }
            let plan = Plan::new(&schema).unwrap();
            assert_eq!(plan.columns.len(), schema.columns.len(), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_an_error() {
        let schema = btf::schema_of("files", objects::find("files").unwrap());
        let mut schema = schema.unwrap().unwrap();
        let names = Names::new(vec![(0, "n".repeat(PIECE + 1).into())]);
        schema.columns[0].kind = Kind::Name(Width::Four, names);
        assert!(Plan::new(&schema).unwrap_err().contains("too long"));
    }
}
