//! Records as the program of a table might write them, with values of typical lengths.

use iterfs_bpf::{objects, schema_of};
use iterfs_mapping::row::{Kind, Schema, Width};

/// A path of typical length.
const PATH: &[u8] = b"/usr/lib/x86_64-linux-gnu/libc.so.6";

/// The schema of one of our programs.
pub(super) fn schema(object: &str) -> Schema {
    let elf = objects::find(object).expect("a program of ours");
    let schema = schema_of(object, elf).expect("readable types");
    schema.expect("a struct that is the row")
}

/// Records that all differ.
pub(super) fn records(schema: &Schema, rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in 0..rows as u64 {
        let mut fixed = vec![0; schema.fixed_size];
        for (index, column) in schema.columns.iter().enumerate() {
            value(&mut fixed[column.offset..], &column.kind, row, index as u64);
        }
        if let Some(at) = schema.tail_length {
            fixed[at..at + 2].copy_from_slice(&(PATH.len() as u16).to_ne_bytes());
            bytes.extend(fixed);
            bytes.extend(PATH);
        } else {
            bytes.extend(fixed);
        }
    }
    bytes
}

/// Writes a value to the front of a field.
fn value(field: &mut [u8], kind: &Kind, row: u64, column: u64) {
    match kind {
        Kind::Unsigned(width, _) | Kind::Hex(width) => {
            // Between one digit and nine, depending on the column.
            let number = (row + 1) * [3, 71, 4_099, 1_000_003][column as usize % 4];
            number_at(field, *width, number);
        }
        Kind::Signed(width) => number_at(field, *width, row),
        Kind::Bool => field[0] = (row % 2) as u8,
        Kind::Name(width, names) | Kind::Flags(width, names) => {
            let known: Vec<u64> = names.iter().map(|(value, _)| value).collect();
            number_at(field, *width, known[row as usize % known.len()]);
        }
        Kind::Device => number_at(field, Width::Four, (8 << 20) | (row % 16)),
        Kind::Text(capacity) => {
            let name = b"process";
            let length = name.len().min(*capacity);
            field[..length].copy_from_slice(&name[..length]);
        }
        Kind::Inet => {
            field[..5].copy_from_slice(&[4, 10, 0, (row >> 8) as u8, row as u8]);
        }
        Kind::Ipv6 => field[15] = row as u8,
        Kind::Bytes(size) => field[..*size].fill(row as u8),
        Kind::Bits(..) | Kind::Float(_) | Kind::Pointer { .. } => {}
        Kind::Tail | Kind::MapKey | Kind::MapValue => {}
    }
}

fn number_at(field: &mut [u8], width: Width, number: u64) {
    let size = width.bytes();
    field[..size].copy_from_slice(&number.to_ne_bytes()[..size]);
}
