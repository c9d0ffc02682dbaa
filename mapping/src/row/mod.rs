//! What a row is made of: a schema, the records that it describes, and their values.
//!
//! A schema is made from a BPF program's BTF (`iterfs-bpf`); nothing else lists columns.
//! Everything here works on byte arrays, and reading a value allocates nothing.

mod bits;
mod decode;
mod kind;
mod names;
mod record;
mod schema;
mod value;
mod width;

pub use bits::Bits;
pub use kind::{Kind, Unit};
pub use names::Names;
pub use record::{Record, Records};
pub use schema::{Column, Schema, Step};
pub use value::{Flags, Value};
pub use width::Width;
