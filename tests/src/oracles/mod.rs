//! What tables are compared with: /proc, ss(8), the kernel's counts; and how.

pub mod columns;
pub mod inet;
pub mod lines;
pub mod maps;
pub mod proc;
pub mod rows;
pub mod socket_columns;
pub mod ss;
pub mod steady;
pub mod system_calls;
pub mod told;
pub mod unix;
