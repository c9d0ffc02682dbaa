//! The columns of a map, which replace the placeholders of a program's row.

use super::values::{Leaf, read};
use crate::load::libbpf_error::os_error;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::{Column, Kind, Schema, Step, Unit, Width};
use libbpf_rs::btf::{Btf, TypeId};
use libbpf_sys::bpf_map_info;
use std::fmt::Write as _;

/// The approximate limit of columns per row. A key or value with more is shown in hexadecimal.
const MOST: usize = 1024;
/// The least number of columns for one processor's value, however many processors there are.
const MOST_OF_ONE: usize = 64;

/// The shape of a map's keys and values.
pub(super) struct Shape {
    key: Part,
    value: Part,
}

/// A key, a value, or the value of each processor.
struct Part {
    size: usize,
    processors: Option<usize>,
    leaves: Vec<Leaf>,
}

impl Shape {
    /// The shape of a map, from its types if it has any.
    pub(super) fn of(info: &bpf_map_info, btf: Option<&Btf<'_>>) -> Result<Shape> {
        let key_size = info.key_size as usize;
        let key = match described(btf, info.btf_key_type_id, key_size, MOST) {
            Some(leaves) => leaves,
            None if is_array(info.type_) => whole(Kind::Unsigned(Width::Four, Unit::None)),
            None => whole(Kind::Bytes(key_size)),
        };
        let processors = match is_per_cpu(info.type_) {
            true => Some(processors()?),
            false => None,
        };
        let most = (MOST / processors.unwrap_or(1)).max(MOST_OF_ONE);
        let value_size = info.value_size as usize;
        let value = described(btf, info.btf_value_type_id, value_size, most);
        Ok(Shape {
            key: Part {
                size: key_size,
                processors: None,
                leaves: key,
            },
            value: Part {
                size: value_size,
                processors,
                leaves: value.unwrap_or_else(|| whole(Kind::Bytes(value_size))),
            },
        })
    }

    /// The number of bytes of a row that hold the key.
    pub(super) fn key_bytes(&self) -> u32 {
        self.key.size as u32
    }

    /// The number of bytes of a row that hold the value, as an iterator returns it.
    pub(super) fn value_bytes(&self) -> u32 {
        u32::try_from(self.value.bytes()).unwrap_or(u32::MAX)
    }

    /// The schema of a program's rows over this map.
    pub(super) fn schema(&self, template: &Schema) -> Schema {
        let mut schema = Schema {
            columns: Vec::new(),
            ..template.clone()
        };
        let mut place = |part: &Part, kind: Kind| {
            let here = template.columns.iter().any(|column| column.kind == kind);
            let at = schema.fixed_size;
            schema.fixed_size += if here { part.bytes() } else { 0 };
            at
        };
        // The program writes the key before the value, whatever the order of the columns.
        let key_at = place(&self.key, Kind::MapKey);
        let value_at = place(&self.value, Kind::MapValue);
        for column in &template.columns {
            match column.kind {
                Kind::MapKey => self.key.add(column, key_at, &mut schema.columns),
                Kind::MapValue => self.value.add(column, value_at, &mut schema.columns),
                _ => schema.columns.push(column.clone()),
            }
        }
        schema
    }
}

impl Part {
    fn bytes(&self) -> usize {
        match self.processors {
            Some(processors) => self.stride() * processors,
            None => self.size,
        }
    }

    /// The distance between two processors' values (kernel/bpf/hashtab.c, `round_up()`).
    fn stride(&self) -> usize {
        self.size.next_multiple_of(8)
    }

    /// Adds the part's columns in place of `column`.
    fn add(&self, column: &Column, at: usize, columns: &mut Vec<Column>) {
        let root = vec![Step::Member(column.name.as_str().into())];
        for processor in 0..self.processors.unwrap_or(1) {
            let mut path = root.clone();
            if self.processors.is_some() {
                path.push(Step::Element(processor));
            }
            for leaf in &self.leaves {
                let path = [&path[..], &leaf.path].concat();
                columns.push(Column {
                    name: flattened(&path),
                    path,
                    doc: column.doc.clone(),
                    offset: at + processor * self.stride() + leaf.offset,
                    kind: leaf.kind.clone(),
                    absent: None,
                    on_request: false,
                    role: column.role,
                });
            }
        }
    }
}

/// The values in a type, if the map has types.
fn described(btf: Option<&Btf<'_>>, id: u32, size: usize, most: usize) -> Option<Vec<Leaf>> {
    match id {
        0 => None,
        id => Some(read(btf?, TypeId::from(id), size, most)),
    }
}

fn whole(kind: Kind) -> Vec<Leaf> {
    vec![Leaf {
        path: Vec::new(),
        offset: 0,
        kind,
    }]
}

/// A path as one name, such as `value.counts.3`.
fn flattened(path: &[Step]) -> String {
    let mut name = String::new();
    for step in path {
        // Writing to a string cannot fail.
        let _ = match step {
            Step::Member(member) if name.is_empty() => write!(name, "{member}"),
            Step::Member(member) => write!(name, ".{member}"),
            Step::Element(index) => write!(name, ".{index}"),
        };
    }
    name
}

fn is_array(map_type: u32) -> bool {
    use libbpf_sys::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_SOCKMAP};
    matches!(
        map_type,
        BPF_MAP_TYPE_ARRAY | BPF_MAP_TYPE_PERCPU_ARRAY | BPF_MAP_TYPE_SOCKMAP
    )
}

fn is_per_cpu(map_type: u32) -> bool {
    use libbpf_sys::{
        BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
    };
    matches!(
        map_type,
        BPF_MAP_TYPE_PERCPU_HASH | BPF_MAP_TYPE_LRU_PERCPU_HASH | BPF_MAP_TYPE_PERCPU_ARRAY
    )
}

/// The number of processors for which the kernel keeps values.
fn processors() -> Result<usize> {
    libbpf_rs::num_possible_cpus().map_err(|error| Error::Map(os_error(&error)))
}
