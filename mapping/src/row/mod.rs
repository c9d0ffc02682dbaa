//! The parts of a row: a schema, the records that the schema describes, and their values.
//!
//! `iterfs-bpf` makes a schema from a BPF program's BTF; nothing else lists columns. This
//! module works on byte arrays, and reading a value allocates nothing.

mod bits;
mod cell;
mod decode;
mod kind;
mod names;
mod record;
mod schema;
mod value;
mod width;

pub use bits::Bits;
pub use cell::{Cell, WIDEST};
pub use kind::{Kind, Unit};
pub use names::Names;
pub use record::{Record, Records};
pub use schema::{Column, Role, Schema, Step};
pub use value::{Flags, Value};
pub use width::Width;
